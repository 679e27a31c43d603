//! Routes of features that this server does not have. Each refuses as Mattermost does without a licence, so that the
//! pages of a client that ask for them work.

pub(super) mod accounts;

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;

use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Tag, Type, handler};

const NO_GROUPS: &str = "api.license_error";
const NO_DIRECTORY: &str = "api.ldap_groups.license_error";
const NO_ATTRIBUTES: &str = "api.custom_profile_attributes.license_error";
const NO_RETENTION: &str = "ent.data_retention.generic.license.error";

const READ_RETENTION: &str = "sysconsole_read_compliance_data_retention_policy";
const WRITE_RETENTION: &str = "sysconsole_write_compliance_data_retention_policy";

type Refusal = Result<Done, AppError>;

fn refuse(id: &'static str) -> Refusal {
    Err(AppError::new(id))
}

/// Describes an operation that always refuses.
const fn absent(id: &'static str, summary: &'static str, refusals: &'static [u16]) -> Description {
    Description::new(Tag::System, id, summary).refusals(refusals)
}

pub(super) const TEAM_GROUPS: Operation =
    absent("GetGroupsByTeam", "Refuses: this server has no groups.", &[501]).handled_by(handler!(groups));
pub(super) const TEAM_CHANNEL_GROUPS: Operation =
    absent("GetGroupsAssociatedToChannelsByTeam", "Refuses: this server has no groups.", &[501])
        .handled_by(handler!(groups));
pub(super) const CHANNEL_GROUPS: Operation =
    absent("GetGroupsByChannel", "Refuses: this server has no groups.", &[501]).handled_by(handler!(groups));
pub(super) const GROUPS: Operation =
    absent("GetGroups", "Refuses: this server has no groups.", &[501]).handled_by(handler!(groups));

/// `GET /groups`, and the groups of a team or a channel.
pub(super) async fn groups(_: Session) -> Refusal {
    refuse(NO_GROUPS)
}

pub(super) const MEMBERS_WITHOUT_GROUP: Operation =
    absent("GetTeamMembersMinusGroupMembers", "Refuses: this server has no groups.", &[400, 403, 501])
        .queries(&[Query::required("group_ids", Type::NonEmptyString, "The ids of the groups, separated by commas.")])
        .handled_by(handler!(members_without_group));

/// `GET /teams/{team_id}/members_minus_group_members`.
pub(super) async fn members_without_group(request: Request, session: Session) -> Refusal {
    request.id("team_id")?;
    let groups = request.query("group_ids").unwrap_or_default();
    if !groups.split(',').all(is_id) {
        return Err(AppError::invalid_body("group_ids"));
    }
    session.require("sysconsole_read_user_management_groups")?;
    refuse(NO_GROUPS)
}

pub(super) const LDAP_GROUPS: Operation =
    absent("GetLdapGroups", "Refuses: this server uses no directory.", &[403, 501]).handled_by(handler!(ldap_groups));

/// `GET /ldap/groups`.
pub(super) async fn ldap_groups(session: Session) -> Refusal {
    session.require("sysconsole_read_user_management_groups")?;
    refuse(NO_DIRECTORY)
}

const ATTRIBUTES: &str = "Refuses: this server has no custom profile attributes.";

pub(super) const ATTRIBUTE_FIELDS: Operation =
    absent("ListAllCPAFields", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const ADD_ATTRIBUTE_FIELD: Operation =
    absent("CreateCPAField", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const REMOVE_ATTRIBUTE_FIELD: Operation =
    absent("DeleteCPAField", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const CHANGE_ATTRIBUTE_FIELD: Operation =
    absent("PatchCPAField", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const CHANGE_ATTRIBUTES: Operation =
    absent("PatchCPAValues", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const CHANGE_ATTRIBUTES_OF_USER: Operation =
    absent("PatchCPAValuesForUser", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const ATTRIBUTE_GROUP: Operation =
    absent("GetCPAGroup", ATTRIBUTES, &[403]).handled_by(handler!(attributes));
pub(super) const ATTRIBUTES_OF_USER: Operation =
    absent("ListCPAValues", ATTRIBUTES, &[403]).handled_by(handler!(attributes));

/// The routes below `/custom_profile_attributes`, and the attributes of a user.
pub(super) async fn attributes(_: Session) -> Refusal {
    refuse(NO_ATTRIBUTES)
}

const RETENTION: &str = "Refuses: this server has no retention policies.";

pub(super) const RETENTION_POLICY: Operation =
    absent("GetDataRetentionPolicy", RETENTION, &[501]).handled_by(handler!(global_retention));

/// `GET /data_retention/policy`.
pub(super) async fn global_retention(_: Session) -> Refusal {
    refuse(NO_RETENTION)
}

pub(super) const RETENTION_POLICIES: Operation =
    absent("GetDataRetentionPolicies", RETENTION, &[403, 501]).handled_by(handler!(read_retention));
pub(super) const RETENTION_COUNT: Operation =
    absent("GetDataRetentionPoliciesCount", RETENTION, &[403, 501]).handled_by(handler!(read_retention));
pub(super) const RETENTION_POLICY_WITH_ID: Operation =
    absent("GetDataRetentionPolicyByID", RETENTION, &[403, 501]).handled_by(handler!(read_retention));
pub(super) const RETENTION_TEAMS: Operation =
    absent("GetTeamsForRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(read_retention));
pub(super) const RETENTION_CHANNELS: Operation =
    absent("GetChannelsForRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(read_retention));

/// The routes below `/data_retention/policies` that read.
pub(super) async fn read_retention(session: Session) -> Refusal {
    session.require(READ_RETENTION)?;
    refuse(NO_RETENTION)
}

pub(super) const ADD_RETENTION_POLICY: Operation =
    absent("CreateDataRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));
pub(super) const CHANGE_RETENTION_POLICY: Operation =
    absent("PatchDataRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));
pub(super) const REMOVE_RETENTION_POLICY: Operation =
    absent("DeleteDataRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));
pub(super) const ADD_RETENTION_TEAMS: Operation =
    absent("AddTeamsToRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));
pub(super) const REMOVE_RETENTION_TEAMS: Operation =
    absent("RemoveTeamsFromRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));
pub(super) const ADD_RETENTION_CHANNELS: Operation =
    absent("AddChannelsToRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));
pub(super) const REMOVE_RETENTION_CHANNELS: Operation =
    absent("RemoveChannelsFromRetentionPolicy", RETENTION, &[403, 501]).handled_by(handler!(write_retention));

/// The routes below `/data_retention/policies` that change something.
pub(super) async fn write_retention(session: Session) -> Refusal {
    session.require(WRITE_RETENTION)?;
    refuse(NO_RETENTION)
}

pub(super) const RETENTION_TEAMS_OF_USER: Operation =
    absent("GetTeamPoliciesForUser", RETENTION, &[400, 403, 501]).handled_by(handler!(retention_of_user));
pub(super) const RETENTION_CHANNELS_OF_USER: Operation =
    absent("GetChannelPoliciesForUser", RETENTION, &[400, 403, 501]).handled_by(handler!(retention_of_user));

/// `GET /users/{user_id}/data_retention/team_policies` and `…/channel_policies`.
pub(super) async fn retention_of_user(request: Request, session: Session) -> Refusal {
    let user_id = request.user_id(&session)?;
    if session.user_id() != user_id {
        session.require("manage_system")?;
    }
    refuse(NO_RETENTION)
}

const TERMS: &str = "Refuses: this server has no terms of service of its own.";

pub(super) const TERMS_OF_SERVICE: Operation =
    absent("GetTermsOfService", TERMS, &[404]).handled_by(handler!(terms_of_service));

/// `GET /terms_of_service`.
pub(super) async fn terms_of_service(_: Session) -> Refusal {
    refuse("app.terms_of_service.get.no_rows.app_error")
}

pub(super) const ADD_TERMS_OF_SERVICE: Operation =
    absent("CreateTermsOfService", TERMS, &[400, 403]).handled_by(handler!(add_terms_of_service));

/// `POST /terms_of_service`.
pub(super) async fn add_terms_of_service(session: Session) -> Refusal {
    session.require("manage_system")?;
    refuse("api.create_terms_of_service.custom_terms_of_service_disabled.app_error")
}
