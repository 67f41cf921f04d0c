//! The list of projects: what the daemon says, in the order of the last change.

use super::project::Project;

/// All projects that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    /// Newest change first.
    items: Vec<Project>,
    /// Whether the daemon has sent everything that was there.
    complete: bool,
    /// While a list comes anew: what was in it so far.
    arriving: Option<Vec<String>>,
}

impl Projects {
    /// Takes a part of the list, or a change to it. `fresh` begins a list anew:
    /// once it is complete, what was not in it is gone.
    pub fn apply(
        &mut self,
        fresh: bool,
        changed: Vec<Project>,
        deleted: &[String],
        complete: bool,
    ) {
        if fresh {
            self.arriving = Some(Vec::new());
        }
        for project in changed {
            if let Some(arriving) = &mut self.arriving {
                arriving.push(project.id.clone());
            }
            self.insert(project);
        }
        self.items.retain(|project| !deleted.contains(&project.id));
        if complete {
            self.complete = true;
            if let Some(arriving) = self.arriving.take() {
                self.items.retain(|project| arriving.contains(&project.id));
            }
        }
    }

    /// Adds one, or changes it.
    pub fn insert(&mut self, project: Project) {
        self.items.retain(|known| known.id != project.id);
        let at = self
            .items
            .partition_point(|known| known.updated_ms > project.updated_ms);
        self.items.insert(at, project);
    }

    /// Takes one away.
    pub fn remove(&mut self, id: &str) {
        self.items.retain(|project| project.id != id);
    }

    /// Newest change first.
    #[must_use]
    pub fn items(&self) -> &[Project] {
        &self.items
    }

    /// Finds one by UUID.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Project> {
        self.items.iter().find(|project| project.id == id)
    }

    /// Whether everything that was there has come, at least once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Forgets everything: somebody else signed in.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: &str, updated_ms: i64) -> Project {
        Project {
            id: id.into(),
            updated_ms,
            ..Project::default()
        }
    }

    fn ids(projects: &Projects) -> Vec<&str> {
        projects.items().iter().map(|p| p.id.as_str()).collect()
    }

    #[test]
    fn the_newest_change_comes_first() {
        let mut projects = Projects::default();
        projects.apply(true, vec![project("a", 1), project("b", 2)], &[], true);
        assert_eq!(ids(&projects), ["b", "a"]);
        projects.apply(false, vec![project("a", 3)], &[], false);
        assert_eq!(ids(&projects), ["a", "b"]);
    }

    #[test]
    fn what_a_new_list_does_not_have_is_gone_once_it_is_complete() {
        let mut projects = Projects::default();
        projects.apply(true, vec![project("a", 1), project("b", 2)], &[], true);
        projects.apply(true, vec![project("b", 2)], &[], false);
        assert_eq!(ids(&projects), ["b", "a"]);
        projects.apply(false, vec![], &[], true);
        assert_eq!(ids(&projects), ["b"]);
    }
}
