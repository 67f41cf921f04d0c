//! `kiln.v1.TeamService`: messages in, use cases of accounts, messages out.

use kiln_proto::v1::{
    CreateInviteRequest, CreateInviteResponse, TeamRole as RoleMessage, team_service_server,
};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::convert;
use super::fields::Fields;
use crate::app::accounts::{Accounts, NewInvite};
use crate::domain::account::{self, TeamRole};
use crate::domain::error::Error;

/// The service.
#[derive(Clone, Debug)]
pub struct TeamService {
    accounts: Accounts,
}

impl TeamService {
    /// The service over these accounts.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts }
    }
}

#[tonic::async_trait]
impl team_service_server::TeamService for TeamService {
    async fn create_invite(
        &self,
        request: Request<CreateInviteRequest>,
    ) -> Result<Response<CreateInviteResponse>, Status> {
        let caller = caller(&request)?;
        let new = read_new_invite(&request.into_inner())?;
        let (code, expires_at) = self.accounts.create_invite(&caller, new).await?;
        Ok(Response::new(CreateInviteResponse {
            invite: code.expose().to_owned(),
            expire_time: Some(convert::timestamp(expires_at)),
        }))
    }
}

fn read_new_invite(message: &CreateInviteRequest) -> Result<NewInvite, Error> {
    let mut fields = Fields::default();
    let team_id = fields.optional_id("team_id", &message.team_id);
    let role = match RoleMessage::try_from(message.role) {
        Ok(RoleMessage::Viewer) => Some(TeamRole::Viewer),
        Ok(RoleMessage::Unspecified | RoleMessage::Editor) => Some(TeamRole::Editor),
        Ok(RoleMessage::Owner) => Some(TeamRole::Owner),
        Err(_) => {
            fields.refuse("role", "must be VIEWER, EDITOR or OWNER");
            None
        }
    };
    let valid_days = fields.days("valid_days", message.valid_days, 7, 30);
    let request_id = fields.take(account::request_id(&message.request_id));
    match (team_id, role, valid_days, request_id) {
        (Some(team_id), Some(role), Some(valid_days), Some(request_id)) => Ok(NewInvite {
            team_id,
            role,
            valid_days,
            request_id,
        }),
        _ => Err(fields.into_error()),
    }
}
