//! `kiln.v1.AuthService`: messages in, use cases of accounts, messages out.

use kiln_proto::v1::{
    ApiTokenScope, CreateApiTokenRequest, CreateApiTokenResponse, GetCurrentUserRequest,
    GetCurrentUserResponse, ListApiTokensRequest, ListApiTokensResponse, RevokeApiTokenRequest,
    RevokeApiTokenResponse, Session, SignInLocalRequest, SignInLocalResponse, SignInRequest,
    SignInResponse, SignOutRequest, SignOutResponse, SignUpRequest, SignUpResponse,
    auth_service_server,
};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::convert;
use super::fields::Fields;
use super::page::Page;
use super::peer::peer;
use crate::app::accounts::{Accounts, NewApiToken, SignUpForm, StartedSession};
use crate::domain::account::{self, Scope};
use crate::domain::error::Error;

/// The service.
#[derive(Clone, Debug)]
pub struct AuthService {
    accounts: Accounts,
}

impl AuthService {
    /// The service over these accounts.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts }
    }
}

#[tonic::async_trait]
impl auth_service_server::AuthService for AuthService {
    async fn sign_in_local(
        &self,
        request: Request<SignInLocalRequest>,
    ) -> Result<Response<SignInLocalResponse>, Status> {
        let started = self.accounts.sign_in_local(peer(&request)?).await?;
        Ok(Response::new(SignInLocalResponse {
            session: Some(session(&started)),
            user: Some(convert::user(started.user)),
        }))
    }

    async fn sign_up(
        &self,
        request: Request<SignUpRequest>,
    ) -> Result<Response<SignUpResponse>, Status> {
        let peer = peer(&request)?;
        let message = request.into_inner();
        let form = SignUpForm {
            email: &message.email,
            password: &message.password,
            display_name: &message.display_name,
            invite: &message.invite,
        };
        let started = self.accounts.sign_up(form, peer).await?;
        Ok(Response::new(SignUpResponse {
            session: Some(session(&started)),
            user: Some(convert::user(started.user)),
        }))
    }

    async fn sign_in(
        &self,
        request: Request<SignInRequest>,
    ) -> Result<Response<SignInResponse>, Status> {
        let peer = peer(&request)?;
        let SignInRequest { email, password } = request.into_inner();
        let started = self.accounts.sign_in(&email, &password, peer).await?;
        Ok(Response::new(SignInResponse {
            session: Some(session(&started)),
            user: Some(convert::user(started.user)),
        }))
    }

    async fn sign_out(
        &self,
        request: Request<SignOutRequest>,
    ) -> Result<Response<SignOutResponse>, Status> {
        self.accounts.sign_out(&caller(&request)?).await?;
        Ok(Response::new(SignOutResponse {}))
    }

    async fn get_current_user(
        &self,
        request: Request<GetCurrentUserRequest>,
    ) -> Result<Response<GetCurrentUserResponse>, Status> {
        let caller = caller(&request)?;
        let user = self.accounts.current_user(&caller).await?;
        Ok(Response::new(GetCurrentUserResponse {
            user: Some(convert::user(user)),
            credential_expire_time: Some(convert::timestamp(caller.expires_at)),
        }))
    }

    async fn create_api_token(
        &self,
        request: Request<CreateApiTokenRequest>,
    ) -> Result<Response<CreateApiTokenResponse>, Status> {
        let caller = caller(&request)?;
        let new = read_new_api_token(&request.into_inner())?;
        let (token, made) = self.accounts.create_api_token(&caller, new).await?;
        Ok(Response::new(CreateApiTokenResponse {
            token: token.expose().to_owned(),
            api_token: Some(convert::api_token(made)),
        }))
    }

    async fn list_api_tokens(
        &self,
        request: Request<ListApiTokensRequest>,
    ) -> Result<Response<ListApiTokensResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let page = Page::parse(
            message.page_size,
            &message.page_token,
            "ListApiTokens",
            &[&caller.user_id.to_string()],
        )
        .map_err(|violation| Error::Invalid(vec![violation]))?;
        let mut tokens = self
            .accounts
            .list_api_tokens(&caller, page.after, page.limit())
            .await?;
        let next_page_token = page.finish(&mut tokens, |token| (token.created_at, token.id.uuid()));
        Ok(Response::new(ListApiTokensResponse {
            api_tokens: tokens.into_iter().map(convert::api_token).collect(),
            next_page_token,
        }))
    }

    async fn revoke_api_token(
        &self,
        request: Request<RevokeApiTokenRequest>,
    ) -> Result<Response<RevokeApiTokenResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::default();
        let Some(id) = fields.id("api_token_id", &request.into_inner().api_token_id) else {
            return Err(fields.into_error().into());
        };
        self.accounts.revoke_api_token(&caller, id).await?;
        Ok(Response::new(RevokeApiTokenResponse {}))
    }
}

fn session(started: &StartedSession) -> Session {
    Session {
        token: started.token.expose().to_owned(),
        expire_time: Some(convert::timestamp(started.expires_at)),
    }
}

fn read_new_api_token(message: &CreateApiTokenRequest) -> Result<NewApiToken, Error> {
    let mut fields = Fields::default();
    let name = fields.take(account::name("name", &message.name));
    let scopes = read_scopes(&mut fields, message);
    let valid_days = fields.days("valid_days", message.valid_days, 90, 365);
    let request_id = fields.take(account::request_id(&message.request_id));
    match (name, scopes, valid_days, request_id) {
        (Some(name), Some(scopes), Some(valid_days), Some(request_id)) => Ok(NewApiToken {
            name,
            scopes,
            valid_days,
            request_id,
        }),
        _ => Err(fields.into_error()),
    }
}

/// The scopes, each once, in the order of the schema.
fn read_scopes(fields: &mut Fields, message: &CreateApiTokenRequest) -> Option<Vec<Scope>> {
    if message.scopes.is_empty() {
        return Some(vec![Scope::Read, Scope::Generate, Scope::Sandbox]);
    }
    // Unknown numbers are refused before anything is kept of the list.
    let mut scopes = Vec::new();
    for number in &message.scopes {
        let scope = match ApiTokenScope::try_from(*number) {
            Ok(ApiTokenScope::Read) => Scope::Read,
            Ok(ApiTokenScope::Generate) => Scope::Generate,
            Ok(ApiTokenScope::Sandbox) => Scope::Sandbox,
            Ok(ApiTokenScope::Admin) => Scope::Admin,
            Ok(ApiTokenScope::Unspecified) | Err(_) => {
                fields.refuse("scopes", "must be READ, GENERATE, SANDBOX or ADMIN");
                return None;
            }
        };
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes.sort();
    Some(scopes)
}
