//! What a view of a set asks for: a pure function from what was seen to what is to be written. It must not write.

use super::kinds::{Held, POD, Pod, Set, Status, pod_name};
use super::variant::Variant;
use crate::store::Key;

/// What a leader sees of one set. The parts may be of different ages.
pub(super) struct View {
    pub(super) name: String,
    pub(super) set: Option<Held<Set>>,
    /// The pods of that name, of whatever uid, by index.
    pub(super) pods: Vec<Held<Pod>>,
    pub(super) status: Option<Held<Status>>,
}

/// One write.
pub(super) enum Step {
    /// A pod that the set asks for, and that the view lacks.
    Create { key: Key, pod: Pod },
    /// A pod that the set does not ask for.
    Remove { pod: Held<Pod>, because: String },
    /// A pod of an older template, while the others are as the view has them.
    Roll { pod: Held<Pod>, others: Vec<(Key, u64)>, because: String },
    /// A status of a set that is gone.
    Forget { status: Held<Status> },
}

impl View {
    /// What is to be done now; what comes after that is seen when it is done.
    pub(super) fn steps(&self, variant: Variant) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for pod in &self.pods {
            if let Some(because) = self.refuses(pod, variant) {
                steps.push(Step::Remove { pod: pod.clone(), because });
            }
        }
        let uid = self.set.as_ref().map(|set| set.value.uid);
        let strange = self.status.iter().filter(|status| Some(status.value.uid) != uid);
        steps.extend(strange.map(|status| Step::Forget { status: status.clone() }));
        let Some(set) = &self.set else { return steps };
        let missing: Vec<Step> = (0..set.value.count).filter_map(|index| self.create(set, index)).collect();
        match missing.is_empty() {
            true => steps.extend(self.roll(set, variant)),
            false => steps.extend(missing),
        }
        steps
    }

    /// The status that this view makes.
    pub(super) fn status_now(&self, set: &Set) -> Status {
        let current = |pod: &&Held<Pod>| pod.value.ready && pod.value.template == set.template;
        Status {
            uid: set.uid,
            template: set.template,
            ready: u32::try_from(self.pods.iter().filter(current).count()).unwrap_or(u32::MAX),
            pods: self.pods.iter().map(|pod| pod.key.name.to_string()).collect(),
        }
    }

    /// Why the set does not ask for a pod, if it does not.
    fn refuses(&self, pod: &Held<Pod>, variant: Variant) -> Option<String> {
        let Some(set) = &self.set else { return Some("there is no such set".to_owned()) };
        let Set { uid, count, .. } = set.value;
        if pod.value.uid != uid && variant != Variant::OwnerByName {
            return Some(format!("the set has uid {uid}, the pod {}", pod.value.uid));
        }
        let at = set.version;
        (pod.index() >= count).then(|| format!("the set asks for {count} at version {at}"))
    }

    fn create(&self, set: &Held<Set>, index: u32) -> Option<Step> {
        if self.pods.iter().any(|pod| pod.index() == index) {
            return None;
        }
        let Set { uid, template, .. } = set.value;
        let key = Key::new(POD, pod_name(&self.name, index));
        Some(Step::Create { key, pod: Pod { set: self.name.clone(), uid, template, ready: false } })
    }

    /// The last outdated pod, if all others are ready.
    fn roll(&self, set: &Held<Set>, variant: Variant) -> Vec<Step> {
        let wanted = self.pods.iter().filter(|pod| pod.index() < set.value.count);
        let outdated = wanted.rev().filter(|pod| pod.value.template != set.value.template);
        let pods_max = if variant == Variant::RollOnError { usize::MAX } else { 1 };
        outdated.take(pods_max).filter_map(|pod| self.roll_one(set, pod)).collect()
    }

    fn roll_one(&self, set: &Held<Set>, pod: &Held<Pod>) -> Option<Step> {
        let wanted = || self.pods.iter().filter(|pod| pod.index() < set.value.count);
        let others = || wanted().filter(|other| other.key != pod.key);
        if others().any(|other| !other.value.ready) {
            return None;
        }
        let (old, new) = (pod.value.template, set.value.template);
        Some(Step::Roll {
            pod: pod.clone(),
            others: others().map(|other| (other.key.clone(), other.version)).collect(),
            because: format!("its template is {old} and not {new}, and the others are ready"),
        })
    }
}
