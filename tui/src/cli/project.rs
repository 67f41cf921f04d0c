//! Which project is meant: an id, the beginning of one, a name, or the one that
//! changed last.

use kiln_proto::v1 as pb;

use super::Context;
use super::exit::{Failure, Stop};
use super::output::{Line, Style, format, human};
use crate::client::{Client, Error};

/// The largest page that the daemon gives.
pub(super) const PAGE_SIZE: i32 = 200;
/// Pages that are read of any list; more is taken for a fault.
pub(super) const PAGES_MAX: usize = 100;
/// Digits of an id that are enough to be one.
const PREFIX_MIN: usize = 4;

/// The project that was named, or the one that changed last; says which.
pub(super) async fn resolve(
    context: &Context,
    client: &Client,
    wanted: Option<&str>,
) -> Result<pb::Project, Stop> {
    let Some(wanted) = wanted else {
        return newest(context, client).await;
    };
    find(client, wanted).await
}

/// The project that was named.
pub(super) async fn find(client: &Client, wanted: &str) -> Result<pb::Project, Stop> {
    if uuid::Uuid::try_parse(wanted).is_ok() {
        let answer = client
            .get_project(pb::GetProjectRequest {
                project_id: wanted.to_ascii_lowercase(),
            })
            .await?;
        return answer
            .project
            .ok_or_else(|| Error::Protocol("no project".to_owned()).into());
    }
    let projects = all(client).await?;
    choose(&projects, wanted).cloned().map_err(Stop::from)
}

/// All projects, last changed first.
pub(super) async fn all(client: &Client) -> Result<Vec<pb::Project>, Stop> {
    let mut projects = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let answer = client
            .list_projects(pb::ListProjectsRequest {
                page_size: PAGE_SIZE,
                page_token,
                team_id: String::new(),
            })
            .await?;
        projects.extend(answer.projects);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(projects);
        }
    }
    Err(Error::Protocol("a list without an end".to_owned()).into())
}

async fn newest(context: &Context, client: &Client) -> Result<pb::Project, Stop> {
    let answer = client
        .list_projects(pb::ListProjectsRequest {
            page_size: 2,
            ..pb::ListProjectsRequest::default()
        })
        .await?;
    let only = answer.projects.len() == 1;
    let project = answer.projects.into_iter().next().ok_or_else(|| {
        Failure::failed("NOT_FOUND", "there is no project yet")
            .hint("`kiln new PROMPT` makes the first")
    })?;
    let why = if only {
        " (your only one)"
    } else {
        " (the one changed last; -p chooses another)"
    };
    context.output.note(&named(&project).add(Style::Dim, why));
    Ok(project)
}

/// A line that says which project is meant.
pub(super) fn named(project: &pb::Project) -> Line {
    human::label("project", &project.name)
        .add(Style::Dim, format!("  {}", format::short_id(&project.id)))
}

/// How a project is named on a command line that we suggest.
pub(super) fn handle(project: &pb::Project) -> String {
    let plain = !project.name.is_empty()
        && project
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !project.name.starts_with('-');
    if plain {
        project.name.clone()
    } else {
        format::short_id(&project.id).to_owned()
    }
}

fn choose<'a>(projects: &'a [pb::Project], wanted: &str) -> Result<&'a pb::Project, Failure> {
    let prefix = wanted.to_ascii_lowercase();
    let may_be_id =
        prefix.len() >= PREFIX_MIN && prefix.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let rules: [&dyn Fn(&pb::Project) -> bool; 3] = [
        &|project| project.name == wanted,
        &|project| project.name.to_lowercase() == wanted.to_lowercase(),
        &|project| may_be_id && project.id.starts_with(&prefix),
    ];
    for rule in rules {
        let matches: Vec<&pb::Project> = projects.iter().filter(|project| rule(project)).collect();
        match matches.as_slice() {
            [] => {}
            [project] => return Ok(project),
            several => {
                let mut ids: Vec<String> = several
                    .iter()
                    .take(5)
                    .map(|project| format!("{} ({})", project.id, project.name))
                    .collect();
                if several.len() > ids.len() {
                    ids.push(format!("and {} more", several.len() - ids.len()));
                }
                return Err(Failure::usage(format!(
                    "{} projects match \"{wanted}\": {}",
                    several.len(),
                    ids.join(", ")
                ))
                .hint("give the whole id"));
            }
        }
    }
    Err(
        Failure::failed("NOT_FOUND", format!("there is no project \"{wanted}\""))
            .hint("`kiln projects` lists what there is"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    fn projects() -> Vec<pb::Project> {
        [
            ("0193a7c2-0000-7000-8000-000000000001", "shop"),
            ("0193a7c2-1111-7000-8000-000000000002", "Shop"),
            ("0193b000-0000-7000-8000-000000000003", "blog"),
            ("0193c000-0000-7000-8000-000000000004", "blog"),
            ("abcd0000-0000-7000-8000-000000000005", "0193"),
        ]
        .map(|(id, name)| pb::Project {
            id: id.into(),
            name: name.into(),
            ..pb::Project::default()
        })
        .into()
    }

    fn chosen(wanted: &str) -> Result<String, Exit> {
        choose(&projects(), wanted)
            .map(|project| project.id[..6].to_owned() + &project.id[34..])
            .map_err(|failure| failure.exit)
    }

    #[test]
    fn names_come_before_ids_and_the_exact_before_the_similar() {
        assert_eq!(chosen("shop").as_deref(), Ok("0193a701"));
        assert_eq!(chosen("Shop").as_deref(), Ok("0193a702"));
        assert_eq!(chosen("0193").as_deref(), Ok("abcd0005"));
        assert_eq!(chosen("0193B").as_deref(), Ok("0193b003"));
        assert_eq!(chosen("0193a7c2-1").as_deref(), Ok("0193a702"));
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        assert_eq!(chosen("blog"), Err(Exit::Usage));
        assert_eq!(chosen("SHOP"), Err(Exit::Usage));
        assert_eq!(chosen("0193a"), Err(Exit::Usage));
        assert_eq!(chosen("nothing"), Err(Exit::Failed));
        assert_eq!(chosen("abc"), Err(Exit::Failed));
    }

    #[test]
    fn suggested_names_can_be_typed() {
        let project = |name: &str| pb::Project {
            id: "0193a7c2-0000-7000-8000-000000000001".into(),
            name: name.into(),
            ..pb::Project::default()
        };
        assert_eq!(handle(&project("shop-2")), "shop-2");
        for name in ["a b", "-x", "$(rm)", ""] {
            assert_eq!(handle(&project(name)), "0193a7c2-0000");
        }
    }
}
