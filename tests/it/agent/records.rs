//! What a node keeps over a restart: the reference's tests of its storage.

use super::simulate;
use fatum::systems::agent::{
    AgentError, MemoryStorage, Records, Storage, Task, TaskId, TaskState, TaskStatus,
};
use std::sync::Arc;

async fn open(storage: &MemoryStorage) -> Records {
    Records::open(Arc::new(storage.clone())).await
}

fn task(number: u32) -> Task {
    Task::new(format!("task-{number:02}"), "image").at(TaskState::Running)
}

#[test]
fn opening_twice_finds_the_same_in_a_folder_with_a_version() {
    simulate(|| async {
        let storage = MemoryStorage::default();
        open(&storage).await.put_task(&task(1)).await;
        assert_eq!(open(&storage).await.all().count(), 1);
        assert_eq!(open(&storage).await.all().count(), 1);
        assert_eq!(storage.names("").await.unwrap(), ["v1/tasks/task-01"]);
    });
}

#[test]
fn twenty_tasks_come_back_as_they_were_with_a_blank_status() {
    simulate(|| async {
        let storage = MemoryStorage::default();
        let mut records = open(&storage).await;
        for number in 0..20 {
            records.put_task(&task(number)).await;
        }
        for records in [records, open(&storage).await] {
            for number in 0..20 {
                let expected = Task { status: TaskStatus::default(), ..task(number) };
                assert_eq!(records.task(&expected.id), Some(&expected));
            }
        }
    });
}

#[test]
fn status_and_assignment_come_back_whatever_becomes_of_the_definition() {
    simulate(|| async {
        let (storage, id) = (MemoryStorage::default(), TaskId::from("task-01"));
        let mut records = open(&storage).await;
        assert_eq!(records.status(&id), Err(AgentError::TaskUnknown));
        assert_eq!(AgentError::TaskUnknown.to_string(), "agent: task unknown");
        let status = TaskStatus::of(TaskState::Ready, "prepared");
        records.put_status(&id, &status).await;
        records.set_assigned(&id, true).await;
        records.put_task(&task(1)).await;
        let mut records = open(&storage).await;
        assert_eq!((records.status(&id), records.is_assigned(&id)), (Ok(&status), true));
        records.set_assigned(&id, false).await;
        assert!(!open(&storage).await.is_assigned(&id));
        records.set_removing(&id).await;
        assert!(open(&storage).await.is_removing(&id));
        records.delete(&id).await;
        assert_eq!(open(&storage).await.all().count(), 0);
        assert_eq!(records.status(&id), Err(AgentError::TaskUnknown));
    });
}
