//! The same work under criterion, for its history and its plots; what must hold is judged by `ratios`.

mod workload;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use workload::WORKLOADS;

fn speed(criterion: &mut Criterion) {
    for workload in &WORKLOADS {
        let goal = workload.goal.map_or_else(String::new, |goal| format!(", at most {goal} times"));
        let mut group = criterion.benchmark_group(format!("{}{goal}", workload.name));
        group
            .sample_size(11)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        group.throughput(Throughput::Elements(workload.ops));
        group.bench_function(BenchmarkId::new("fatum", workload.what), |bencher| {
            bencher.iter(|| (workload.run)(workload.ops));
        });
        group.throughput(Throughput::Elements(workload.bare.ops));
        group.bench_function(BenchmarkId::new("loop", workload.bare.what), |bencher| {
            bencher.iter(|| (workload.bare.run)(workload.bare.ops));
        });
        group.finish();
    }
}

criterion_group!(benches, speed);
criterion_main!(benches);
