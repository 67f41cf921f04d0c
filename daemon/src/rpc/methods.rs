//! What each method asks of its caller. What is not listed here is closed, and
//! a test fails while a method of the schema is missing.

use crate::domain::account::Scope;

/// What a method asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it works without a credential.
    Public,
    /// A session, or an API token with this scope.
    Scope(Scope),
    /// A session; an API token will not do.
    Session,
}

const READ: Access = Access::Scope(Scope::Read);
const GENERATE: Access = Access::Scope(Scope::Generate);
const SANDBOX: Access = Access::Scope(Scope::Sandbox);
const ADMIN: Access = Access::Scope(Scope::Admin);

/// Every method that is served, by path.
pub const METHODS: &[(&str, Access)] = &[
    ("/grpc.health.v1.Health/Check", Access::Public),
    ("/grpc.health.v1.Health/List", Access::Public),
    ("/grpc.health.v1.Health/Watch", Access::Public),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Access::Public,
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Access::Public,
    ),
    ("/kiln.v1.AuthService/SignInLocal", Access::Public),
    ("/kiln.v1.AuthService/SignUp", Access::Public),
    ("/kiln.v1.AuthService/SignIn", Access::Public),
    ("/kiln.v1.AuthService/SignOut", Access::Session),
    ("/kiln.v1.AuthService/GetCurrentUser", READ),
    ("/kiln.v1.AuthService/CreateApiToken", Access::Session),
    ("/kiln.v1.AuthService/ListApiTokens", READ),
    ("/kiln.v1.AuthService/RevokeApiToken", ADMIN),
    ("/kiln.v1.TeamService/CreateInvite", ADMIN),
    ("/kiln.v1.ServerService/GetServerInfo", READ),
    ("/kiln.v1.ServerService/GetProvider", READ),
    // It takes a secret, and decides where every prompt goes.
    ("/kiln.v1.ServerService/SetProvider", Access::Session),
    ("/kiln.v1.ModelService/ListModels", READ),
    ("/kiln.v1.ProjectService/CreateProject", GENERATE),
    ("/kiln.v1.ProjectService/GetProject", READ),
    ("/kiln.v1.ProjectService/ListProjects", READ),
    ("/kiln.v1.ProjectService/UpdateProject", GENERATE),
    // Beyond what a script that generates needs: nothing brings a project back.
    ("/kiln.v1.ProjectService/DeleteProject", ADMIN),
    ("/kiln.v1.ProjectService/WatchProjects", READ),
    ("/kiln.v1.ProjectService/WatchProject", READ),
    ("/kiln.v1.GenerationService/StartGeneration", GENERATE),
    ("/kiln.v1.GenerationService/Generate", GENERATE),
    ("/kiln.v1.GenerationService/CancelGeneration", GENERATE),
    ("/kiln.v1.GenerationService/GetGeneration", READ),
    ("/kiln.v1.GenerationService/ListGenerations", READ),
    ("/kiln.v1.RevisionService/ListRevisions", READ),
    ("/kiln.v1.RevisionService/GetRevision", READ),
    ("/kiln.v1.RevisionService/ListFiles", READ),
    ("/kiln.v1.RevisionService/ReadFile", READ),
    ("/kiln.v1.RevisionService/ExportRevision", READ),
    ("/kiln.v1.SandboxService/StartSandbox", SANDBOX),
    ("/kiln.v1.SandboxService/StopSandbox", SANDBOX),
    ("/kiln.v1.SandboxService/RestartSandbox", SANDBOX),
    ("/kiln.v1.SandboxService/GetSandbox", READ),
    ("/kiln.v1.SandboxService/StreamLogs", READ),
];

/// What a method asks of its caller; `None` where there is no such method.
#[must_use]
pub fn access(path: &str) -> Option<Access> {
    METHODS
        .iter()
        .find(|(known, _)| *known == path)
        .map(|(_, access)| *access)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;

    fn methods_of_the_schema() -> BTreeSet<String> {
        let set = prost_types::FileDescriptorSet::decode(kiln_proto::FILE_DESCRIPTOR_SET)
            .expect("the schema's own descriptors");
        let mut methods = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    methods.insert(format!(
                        "/{}.{}/{}",
                        file.package(),
                        service.name(),
                        method.name()
                    ));
                }
            }
        }
        methods
    }

    #[test]
    fn every_method_of_the_schema_is_listed_and_nothing_else() {
        let listed: BTreeSet<String> = METHODS
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .filter(|path| path.starts_with("/kiln."))
            .collect();
        assert_eq!(listed, methods_of_the_schema());
        assert_eq!(
            METHODS.len(),
            METHODS
                .iter()
                .map(|(path, _)| path)
                .collect::<BTreeSet<_>>()
                .len(),
            "a method is listed twice"
        );
    }

    #[test]
    fn what_is_open_to_everybody_is_what_the_design_says() {
        let open: Vec<&str> = METHODS
            .iter()
            .filter(|(_, access)| *access == Access::Public)
            .map(|(path, _)| path.rsplit('/').next().expect("a path"))
            .collect();
        assert_eq!(
            open,
            [
                "Check",
                "List",
                "Watch",
                "ServerReflectionInfo",
                "ServerReflectionInfo",
                "SignInLocal",
                "SignUp",
                "SignIn"
            ]
        );
    }

    #[test]
    fn what_is_not_listed_is_closed() {
        for path in [
            "",
            "/",
            "/kiln.v1.AuthService/signin",
            "/kiln.v1.AuthService/SignIn/",
        ] {
            assert_eq!(access(path), None, "{path}");
        }
    }
}
