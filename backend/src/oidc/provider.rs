//! The OpenID provider: what it says of itself, and what a code that it gave is worth.
//!
//! Never believes a token that is not signed with one of the provider's published asymmetric keys.
//! Reasons of failures hold no code, token or secret: they go to the log.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::url::Url;
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

use super::Pending;
use crate::app::App;
use crate::registry::people::identity::Identity;
use crate::time::{Clock, Timestamp};

/// How long what the provider says of itself is believed.
const METADATA_MILLIS: i64 = 3600 * 1000;
/// How soon it is asked again after it failed, or after its keys were fetched for a token's sake:
/// neither a provider that is down nor a wrong token makes this server hammer it.
const RETRY_MILLIS: i64 = 10 * 1000;
const AT_ONCE: Timestamp = Timestamp::from_millis(0);
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Codes that are exchanged at once; more wait.
const MAX_EXCHANGES: usize = 8;
/// How far the provider's clock may be from ours.
const SKEW_MILLIS: i64 = 5 * 60 * 1000;

/// Asymmetric signatures only. `none` proves nothing, and whoever could check an HMAC could forge it.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Every claim that the standard does not name.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct OtherClaims(HashMap<String, Value>);
impl AdditionalClaims for OtherClaims {}

type Token = IdToken<
    OtherClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Claims = IdTokenClaims<OtherClaims, CoreGenderClaim>;
type UserInfo = UserInfoClaims<OtherClaims, CoreGenderClaim>;
type Tokens = StandardTokenResponse<
    IdTokenFields<
        OtherClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type Client = openidconnect::Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type Metadata = Arc<CoreProviderMetadata>;

/// Why something failed, for the log.
pub type Result<T> = std::result::Result<T, String>;

pub struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect_url: RedirectUrl,
    scopes: Vec<Scope>,
    /// Where people's groups are, if any group gives a right.
    groups_claim: Option<String>,
    clock: Clock,
    http: reqwest::Client,
    cache: Mutex<Cache>,
    exchanges: Semaphore,
}

struct Cache {
    metadata: Option<(Metadata, Timestamp)>,
    /// When the provider may be asked again.
    not_before: Timestamp,
}

impl Provider {
    /// The provider that the configuration names, which is not asked yet: it may be down.
    pub fn new(app: &App) -> Option<Self> {
        let oidc = &app.config.oidc;
        let issuer = oidc.issuer.clone()?;
        let redirect_url = format!("{}/auth/oidc/callback", app.config.own_url()?);
        let https = issuer.url().scheme() == "https";
        let http = reqwest::Client::builder()
            .user_agent("model-registry")
            .redirect(reqwest::redirect::Policy::none()) // it would lead to addresses inside
            .https_only(https)
            .timeout(TIMEOUT);
        // A proxy cannot reach what is on this machine.
        let http = if https { http } else { http.no_proxy() };
        let secret = oidc.client_secret.clone().filter(|secret| !secret.secret().is_empty());
        Some(Self {
            issuer,
            client_id: oidc.client_id.clone()?,
            client_secret: secret,
            redirect_url: RedirectUrl::new(redirect_url).ok()?,
            scopes: oidc.scopes.iter().cloned().map(Scope::new).collect(),
            groups_claim: (!oidc.groups.is_empty()).then(|| oidc.groups_claim.clone()),
            clock: app.clock.clone(),
            http: http.build().expect("the system has usable certificates"),
            cache: Mutex::new(Cache { metadata: None, not_before: AT_ONCE }),
            exchanges: Semaphore::new(MAX_EXCHANGES),
        })
    }

    /// Where the browser goes to sign in.
    pub async fn authorization_url(&self, pending: &Pending) -> Result<Url> {
        let metadata = self.metadata().await?;
        let endpoint = metadata.authorization_endpoint().url();
        if endpoint.scheme() != "https" && endpoint.scheme() != self.issuer.url().scheme() {
            return Err(format!("the authorization endpoint is not https: {endpoint}"));
        }
        let verifier = PkceCodeVerifier::new(pending.verifier.clone());
        let state = CsrfToken::new(pending.state.clone());
        let nonce = Nonce::new(pending.nonce.clone());
        let (url, _, _) = self
            .client(&metadata)
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
            // The client asks for `openid` by itself.
            .add_scopes(self.scopes.iter().filter(|scope| scope.as_str() != "openid").cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Whether an answer that names its issuer (RFC 9207) comes from this one.
    pub fn is_issuer(&self, named: Option<&str>) -> bool {
        named.is_none_or(|named| named == self.issuer.as_str())
    }

    /// Exchanges a code and says who signed in.
    pub async fn identify(&self, code: String, pending: &Pending) -> Result<Identity> {
        let _permit = self.exchanges.acquire().await.map_err(|error| error.to_string())?;
        let metadata = self.metadata().await?;
        let client = self.client(&metadata);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| error.to_string())?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()))
            .request_async(&|request| send(self.http.clone(), request))
            .await
            .map_err(token_reason)?;
        let token = tokens.id_token().ok_or("the provider gave no ID token")?;
        let claims = match self.verify(&metadata, token, &tokens, pending) {
            Err(error) if may_be_a_new_key(&error) => {
                let newer = self.newer_metadata(&metadata).await;
                let newer = newer.map_err(|why| format!("{}; {why}", reason(&error)))?;
                self.verify(&newer, token, &tokens, pending)
            }
            verified => verified,
        }
        .map_err(|error| reason(&error))?;
        let more = self.user_info(&client, claims, &tokens).await?;
        Ok(self.identity(claims, more.as_ref()))
    }

    /// The client, as the metadata says. It makes requests; tokens are checked by `verify` alone.
    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        let secret = self.client_secret.clone();
        let client =
            Client::from_provider_metadata(metadata.clone(), self.client_id.clone(), secret)
                .set_redirect_uri(self.redirect_url.clone());
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        let basic = takes(CoreClientAuthMethod::ClientSecretBasic);
        let auth_type = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        client.set_auth_type(auth_type)
    }

    /// Signature, issuer, audience, expiry, time of issue, nonce, authorized party and access token.
    fn verify<'t>(
        &self,
        metadata: &CoreProviderMetadata,
        token: &'t Token,
        tokens: &Tokens,
        pending: &Pending,
    ) -> std::result::Result<&'t Claims, ClaimsVerificationError> {
        use ClaimsVerificationError::{InvalidAudience, Other, SignatureVerification};
        let (started, now) = (pending.at_ms, self.clock.now());
        let verifier: IdTokenVerifier<'_, CoreJsonWebKey> = IdTokenVerifier::new_public_client(
            self.client_id.clone(),
            self.issuer.clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(|| (UNIX_EPOCH + Duration::from_millis(now.millis().unsigned_abs())).into())
        .set_issue_time_verifier_fn(|issued| {
            let issued = issued.timestamp_millis();
            if (started - SKEW_MILLIS..=now.millis() + SKEW_MILLIS).contains(&issued) {
                Ok(())
            } else {
                Err(format!("issued at {issued}, which is not during this sign-in"))
            }
        });
        let claims = token.claims(&verifier, &Nonce::new(pending.nonce.clone()))?;
        if claims.authorized_party().is_some_and(|party| *party != self.client_id) {
            return Err(InvalidAudience("made for another client (azp)".to_owned()));
        }
        if let Some(expected) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(SignatureVerification)?;
            let algorithm = token.signing_alg().map_err(SignatureVerification)?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
                .map_err(|error| Other(error.to_string()))?;
            if actual != *expected {
                return Err(Other("made with another access token (at_hash)".to_owned()));
            }
        }
        Ok(claims)
    }

    /// What only the userinfo endpoint says, where the ID token leaves something out.
    async fn user_info(
        &self,
        client: &Client,
        claims: &Claims,
        tokens: &Tokens,
    ) -> Result<Option<UserInfo>> {
        let others = &claims.additional_claims().0;
        let complete = self.groups_claim.as_ref().is_none_or(|claim| others.contains_key(claim))
            && claims.preferred_username().is_some()
            && claims.name().is_some();
        if complete || client.user_info_url().is_none() {
            return Ok(None);
        }
        let token = tokens.access_token();
        if !token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the access token has characters that no token has".to_owned());
        }
        client
            .user_info(token.clone(), Some(claims.subject().clone()))
            .map_err(|error| error.to_string())?
            .request_async(&|request| send(self.http.clone(), request))
            .await
            .map(Some)
            .map_err(user_info_reason)
    }

    fn identity(&self, claims: &Claims, more: Option<&UserInfo>) -> Identity {
        let subject = claims.subject().as_str().to_owned();
        let preferred = claims
            .preferred_username()
            .or_else(|| more.and_then(UserInfo::preferred_username))
            .map(|name| name.as_str());
        let email = claims
            .email()
            .or_else(|| more.and_then(UserInfo::email))
            .and_then(|email| email.split('@').next());
        let name = claims
            .name()
            .or_else(|| more.and_then(UserInfo::name))
            .and_then(|name| name.get(None))
            .map(|name| name.as_str().to_owned());
        let groups = self.groups_claim.as_ref().and_then(|claim| {
            let more = more.and_then(|more| more.additional_claims().0.get(claim));
            claims.additional_claims().0.get(claim).or(more)
        });
        let wish = [preferred, email].into_iter().flatten().find(|name| !name.is_empty());
        Identity {
            issuer: self.issuer.as_str().to_owned(),
            username: wish.unwrap_or(&subject).to_owned(),
            name,
            groups: groups.map(strings).unwrap_or_default(),
            subject,
        }
    }

    /// What the provider says of itself, not much older than an hour.
    async fn metadata(&self) -> Result<Metadata> {
        let mut cache = self.cache.lock().await;
        let old = cache.metadata.clone();
        if let Some((metadata, fetched)) = &old
            && self.clock.now().millis() - fetched.millis() < METADATA_MILLIS
        {
            return Ok(metadata.clone());
        }
        match (self.fetch(&mut cache).await, old) {
            (Ok(metadata), _) => {
                cache.not_before = AT_ONCE;
                Ok(metadata)
            }
            (Err(reason), Some((metadata, _))) => {
                tracing::warn!(reason, "the OpenID provider is asked again later");
                Ok(metadata)
            }
            (Err(reason), None) => Err(reason),
        }
    }

    /// The provider's metadata and keys, newer than these. Whoever waited for the same takes it.
    async fn newer_metadata(&self, than: &Metadata) -> Result<Metadata> {
        let mut cache = self.cache.lock().await;
        if let Some((metadata, _)) = &cache.metadata
            && !Arc::ptr_eq(metadata, than)
        {
            return Ok(metadata.clone());
        }
        self.fetch(&mut cache).await
    }

    async fn fetch(&self, cache: &mut Cache) -> Result<Metadata> {
        if self.clock.now() < cache.not_before {
            return Err("the provider was asked a moment ago".to_owned());
        }
        let retry_at = || Timestamp::from_millis(self.clock.now().millis() + RETRY_MILLIS);
        cache.not_before = retry_at(); // also if whoever asks goes away meanwhile
        let http = |request| send(self.http.clone(), request);
        let fetched = CoreProviderMetadata::discover_async(self.issuer.clone(), &http).await;
        cache.not_before = retry_at();
        let metadata = Arc::new(fetched.map_err(|error| reason(&error))?);
        cache.metadata = Some((metadata.clone(), self.clock.now()));
        Ok(metadata)
    }
}

/// Sends a request, and reads not more than is reasonable of the answer.
async fn send(http: reqwest::Client, request: HttpRequest) -> io::Result<HttpResponse> {
    let request = reqwest::Request::try_from(request).map_err(io::Error::other)?;
    let mut response = http.execute(request).await.map_err(io::Error::other)?;
    let mut answer = HttpResponse::default();
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    while let Some(chunk) = response.chunk().await.map_err(io::Error::other)? {
        if answer.body().len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(io::Error::other("the answer is too large"));
        }
        answer.body_mut().extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// Whether a token may be signed with a key that was published after the keys were fetched.
fn may_be_a_new_key(error: &ClaimsVerificationError) -> bool {
    use SignatureVerificationError::{CryptoError, NoMatchingKey};
    matches!(error, ClaimsVerificationError::SignatureVerification(NoMatchingKey | CryptoError(_)))
}

/// A claim that is a text or a list of texts.
fn strings(claim: &Value) -> Vec<String> {
    let texts = match claim {
        Value::Array(texts) => texts.as_slice(),
        text => std::slice::from_ref(text),
    };
    texts.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An error with what caused it.
fn reason(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Where an answer cannot be read, only the place is told: the rest may be a token.
fn token_reason(
    error: RequestTokenError<io::Error, StandardErrorResponse<CoreErrorResponseType>>,
) -> String {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            format!("the token endpoint says {}", answer.error().as_ref())
        }
        RequestTokenError::Parse(error, _) => {
            format!("the token endpoint's answer cannot be read at {}", error.path())
        }
        error => reason(&error),
    }
}

fn user_info_reason(error: UserInfoError<io::Error>) -> String {
    match error {
        UserInfoError::Parse(error) => {
            format!("the userinfo endpoint's answer cannot be read at {}", error.path())
        }
        error => reason(&error),
    }
}
