//! One operation of the API: its handler, and its description for the document at `/api/v4/openapi.json`.
//!
//! Each handler has its operation beside it as constant data. A row of the route table refers to it.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::error::AppError;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::web::answer::{Reply, StatusOk};
use crate::web::request::Refused;
use crate::web::schema::{Schemas, add, reference};

/// A handler without the types of its arguments. The macro [`handler`] makes it.
pub(crate) type Handler = fn(HttpRequest, Payload) -> LocalBoxFuture<'static, Result<HttpResponse, AppError>>;

/// Turns a handler function into a [`Handler`].
macro_rules! handler {
    ($function:expr) => {
        |http, payload| Box::pin($crate::web::routes::operation::call($function, http, payload))
    };
}
pub(crate) use handler;

/// Extracts the arguments of a handler from the request, runs the handler and makes its result a response.
pub(crate) async fn call<F, Args>(
    function: F,
    http: HttpRequest,
    mut payload: Payload,
) -> Result<HttpResponse, AppError>
where
    F: actix_web::Handler<Args>,
    F::Output: Reply,
    Args: FromRequest,
{
    let arguments = Args::from_request(&http, &mut payload).await;
    let arguments = arguments.map_err(|error| Refused::unwrap(&error.into()))?;
    function.call(arguments).await.reply()
}

/// A handler with its description.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) handler: Handler,
    /// `None` if the document leaves the operation out.
    pub(crate) description: Option<Description>,
}

impl Operation {
    /// Makes an operation that the document leaves out, because it serves a page.
    pub(super) const fn undescribed(handler: Handler) -> Self {
        Self { handler, description: None }
    }

    /// Leaves the operation out of the document, for a route that is another spelling of a described one.
    pub(super) const fn left_out(self) -> Self {
        Self { description: None, ..self }
    }
}

/// The description of an operation. Path parameters and the refusals that any request can meet are added to it.
#[derive(Clone, Copy)]
pub(crate) struct Description {
    pub(crate) tag: Tag,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) details: Option<&'static str>,
    pub(crate) queries: &'static [Query],
    pub(crate) body: Option<Body>,
    pub(crate) responses: &'static [Response],
    /// The statuses of refusals.
    pub(crate) refusals: &'static [u16],
}

/// A chapter of the document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    System,
    Environment,
    Configuration,
    Accounts,
}

/// A query parameter.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) schema: Type,
    pub(crate) is_required: bool,
    pub(crate) about: &'static str,
}

/// A request body.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    pub(crate) media: &'static str,
    pub(crate) schema: Type,
    pub(crate) is_required: bool,
    pub(crate) about: &'static str,
}

/// A response that is not a refusal, or a refusal without the standard body.
#[derive(Clone, Copy)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content: Content,
    pub(crate) about: &'static str,
}

/// The body of a response.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    Nothing,
    Json(Type),
    /// A body of this media type.
    Other(&'static str),
}

/// The type of a value.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    String,
    NonEmptyString,
    Integer,
    Boolean,
    /// An object with any members.
    Object,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A structure with members. [`Type::of`] makes it.
    Structure(Structure),
    List(&'static Type),
    NonEmptyList(&'static Type),
    /// An object with any names and with values of this type.
    Map(&'static Type),
    /// A value of this type, or null.
    Nullable(&'static Type),
}

/// A structure that derives its schema.
#[derive(Clone, Copy)]
pub(crate) struct Structure {
    /// Returns the reference to its schema.
    pub(crate) reference: fn() -> RefOr<Schema>,
    /// Adds its schema and those of the structures in it.
    pub(crate) add: fn(&mut Schemas),
}

/// The body `{"status":"OK"}`.
pub(crate) const STATUS_OK: Type = Type::of::<StatusOk>();

pub(crate) const PAGE: Query = Query::optional("page", Type::Integer, "The page, from 0.");
pub(crate) const PER_PAGE: Query = Query::optional(
    "per_page",
    Type::Integer,
    "The number of entries in a page. The default is 60, the maximum is 200.",
);

impl Tag {
    /// Every tag, in the order of the document.
    pub(crate) const ALL: [Self; 4] = [Self::System, Self::Environment, Self::Configuration, Self::Accounts];

    /// Returns the name and the description.
    pub(crate) fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::System => ("system", "Health, notices, the busy flag, audit records, upgrades."),
            Self::Environment => ("environment", "File stores, email, the database, logs and analytics."),
            Self::Configuration => ("configuration", "The configuration and the licence."),
            Self::Accounts => ("accounts", "Accounts, sessions, teams and roles."),
        }
    }
}

impl Type {
    /// The type of a structure.
    pub(crate) const fn of<T: ToSchema>() -> Self {
        Self::Structure(Structure { reference: reference::<T>, add: add::<T> })
    }

    /// Returns the structure that values of this type consist of.
    fn structure(self) -> Option<Structure> {
        match self {
            Self::Structure(structure) => Some(structure),
            Self::List(inner) | Self::NonEmptyList(inner) | Self::Map(inner) | Self::Nullable(inner) => {
                inner.structure()
            }
            Self::String | Self::NonEmptyString | Self::Integer | Self::Boolean | Self::Object | Self::OneOf(_) => None,
        }
    }
}

impl Description {
    /// Returns the structures of the body and of the responses.
    pub(crate) fn structures(&self) -> impl Iterator<Item = Structure> {
        let body = self.body.into_iter().map(|body| body.schema);
        let responses = self.responses.iter().filter_map(|response| match response.content {
            Content::Json(schema) => Some(schema),
            Content::Nothing | Content::Other(_) => None,
        });
        body.chain(responses).filter_map(Type::structure)
    }

    pub(crate) const fn new(tag: Tag, id: &'static str, summary: &'static str) -> Self {
        Self { tag, id, summary, details: None, queries: &[], body: None, responses: &[], refusals: &[] }
    }

    /// Sets what a reader needs to know beside the summary, such as permissions.
    pub(crate) const fn details(self, details: &'static str) -> Self {
        Self { details: Some(details), ..self }
    }

    pub(crate) const fn queries(self, queries: &'static [Query]) -> Self {
        Self { queries, ..self }
    }

    /// Sets a required body of JSON.
    pub(crate) const fn body(self, schema: Type, about: &'static str) -> Self {
        Self { body: Some(Body { media: "application/json", schema, is_required: true, about }), ..self }
    }

    /// Sets a body of JSON that can be absent.
    pub(crate) const fn optional_body(self, schema: Type, about: &'static str) -> Self {
        Self { body: Some(Body { media: "application/json", schema, is_required: false, about }), ..self }
    }

    /// Sets a required body that is a form with files.
    pub(crate) const fn form(self, schema: Type, about: &'static str) -> Self {
        Self { body: Some(Body { media: "multipart/form-data", schema, is_required: true, about }), ..self }
    }

    pub(crate) const fn responses(self, responses: &'static [Response]) -> Self {
        Self { responses, ..self }
    }

    pub(crate) const fn refusals(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }

    pub(crate) const fn handled_by(self, handler: Handler) -> Operation {
        Operation { handler, description: Some(self) }
    }
}

impl Query {
    /// A parameter that can be absent.
    pub(crate) const fn optional(name: &'static str, schema: Type, about: &'static str) -> Self {
        Self { name, schema, is_required: false, about }
    }

    /// A parameter that must be present.
    pub(crate) const fn required(name: &'static str, schema: Type, about: &'static str) -> Self {
        Self { name, schema, is_required: true, about }
    }
}

impl Response {
    /// A response with a body of JSON.
    pub(crate) const fn json(status: u16, schema: Type, about: &'static str) -> Self {
        Self { status, content: Content::Json(schema), about }
    }

    /// A response with a body of another media type.
    pub(crate) const fn media(status: u16, media: &'static str, about: &'static str) -> Self {
        Self { status, content: Content::Other(media), about }
    }

    /// A response without a body.
    pub(crate) const fn empty(status: u16, about: &'static str) -> Self {
        Self { status, content: Content::Nothing, about }
    }
}
