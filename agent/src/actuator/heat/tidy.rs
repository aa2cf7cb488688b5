//! What a look does beside orders: members that could not be made and belong to nobody, marks that an
//! agent left when it died, and scale-out that Heat drops while a deletion is held.

use std::time::Duration;

use tokio::time::Instant;

use super::autoscaling_group;
use super::group::{Group, Work, is_passing};
use super::view::Row;
use super::wish::Wish;
use crate::actuator::ActuatorError;
use crate::cloud::CloudError;
use crate::config::HeatActuator;
use crate::heat::{StackPath, Status};

/// Something strange is left alone for so long: the loop, or Heat, may be about to deal with it.
const STRANGE: Duration = Duration::from_secs(20);
/// A deletion that nothing holds is done in less, if an engine of Heat knows of it; asked for again, it is
/// taken up by the next engine.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(30);
/// Between two members that are asked for in Heat's place, as a scaling policy's cooldown by default.
const COOLDOWN: Duration = Duration::from_secs(60);

impl Group {
    /// At most one of each per look. What fails here is done by a later look.
    pub(super) async fn tidy(&self, work: &mut Work) {
        let wish = {
            let ledger = self.ledger();
            if !ledger.told || ledger.view.is_none() {
                return;
            }
            ledger.wish().unwrap_or_else(|waits| waits)
        };
        // Whoever made the group larger: the cooldown holds for several agents together.
        if wish.stay.len() > work.members {
            work.obeyed_at = Some(Instant::now());
        }
        work.members = wish.stay.len();
        self.remove_stillborn(&wish, work);
        if self.config.actuator == HeatActuator::HeatAutoscalingGroup {
            self.settle_marks(&wish, work).await;
        }
        if self.aodh
            && !self.ledger().held().is_empty()
            && let Err(error) = self.obey(&wish, work).await
        {
            tracing::warn!("pool {}: {}", self.pool, self.trouble().change(error));
        }
    }

    /// Whether Heat was at something and does not go on with it: the engine that was at it died, and
    /// the next one takes it up only with a change of the stack, at whose hook it then waits anew
    /// (measured).
    pub(super) fn is_forgotten(&self, wish: &Result<Wish, Wish>, work: &mut Work) -> bool {
        let ledger = self.ledger();
        let rows = ledger.view.iter().flat_map(|(_, view)| &view.rows);
        let signs = rows.map(sign).collect();
        let waits = wish.is_err();
        let wish = wish.as_ref().unwrap_or_else(|waits| waits);
        stands_still(&mut work.still, signs, wish, waits)
    }

    /// Lets go what waits at its hook and is to leave.
    pub(super) async fn release(&self, wish: &Wish, work: &mut Work) -> Result<(), ActuatorError> {
        for row in &wish.going {
            let Some(nested) = row.nested.as_ref().filter(|_| self.ledger().leaves(row)) else {
                continue;
            };
            for resource in &row.held {
                match self.heat.release(nested, resource).await {
                    Ok(()) => {}
                    Err(error) if is_passing(&error) => continue,
                    Err(error) => return Err(self.trouble().member(&row.name, error)),
                }
            }
            // Whether that was enough, the next look finds out.
            work.held.remove(&row.identity);
        }
        Ok(())
    }

    /// Members that could not be made and that no order claims cost, and nobody will ever use them.
    fn remove_stillborn(&self, wish: &Wish, work: &mut Work) {
        let nobodys = |row: &&Row| row.is_stillborn() && !wish.claimed.contains(&row.name);
        let strange = wish
            .stay
            .iter()
            .filter(nobodys)
            .find(|row| is_old(row, work));
        if let Some(row) = strange {
            let reason = &row.reason;
            tracing::warn!(
                "pool {}: member {} of stack {} could not be made and belongs to nobody: it is \
                 removed; Heat said: {reason}",
                self.pool,
                row.name,
                self.config.stack
            );
            self.ledger().leave(&row.name, None);
        }
    }

    /// An agent died between mark and change. If the member is to leave, the loop has said so again
    /// by now; else it serves, and the next change must not take it.
    async fn settle_marks(&self, wish: &Wish, work: &mut Work) {
        let marked = autoscaling_group::marked_by_us(wish);
        let Some(row) = marked.into_iter().find(|row| is_old(row, work)) else {
            return;
        };
        if !wish.claimed.contains(&row.name) {
            self.ledger().leave(&row.name, None);
            return;
        }
        let group = self.group_path();
        match self.heal(group.as_ref(), row).await {
            Ok(()) => tracing::warn!(
                "pool {}: member {} was marked as leaving, but it serves: the mark is off",
                self.pool,
                row.name
            ),
            Err(error) => tracing::warn!("{}", self.trouble().member(&row.name, error)),
        }
    }

    /// While a deletion is held Heat answers 200 to a policy's signal and drops it (measured), though
    /// a change of the capacity works. So while the alarm stands, the agent sets the capacity that the
    /// signal would have: one more than there are members that stay. Heat itself refuses more than
    /// the group's maximum.
    async fn obey(&self, wish: &Wish, work: &mut Work) -> Result<(), CloudError> {
        let cooling = work.obeyed_at.is_some_and(|at| at.elapsed() < COOLDOWN);
        let coming = wish.stay.iter().any(|row| row.is_coming());
        if cooling || coming || wish.need > 0 || !wish.go.is_empty() {
            return Ok(());
        }
        let Some(alarm) = self.alarm_id(work).await? else {
            return Ok(());
        };
        if !self.heat.alarms(&alarm).await? {
            return Ok(());
        }
        let more = Wish {
            need: 1,
            ..wish.clone()
        };
        let (Some(path), Some(change)) = (
            work.stack_path(),
            autoscaling_group::change(&more, &self.config),
        ) else {
            return Ok(());
        };
        let path = path.clone();
        work.obeyed_at = Some(Instant::now());
        match self.heat.set_parameters(&path, &change.parameters).await {
            Ok(answer) => {
                tracing::info!(
                    "pool {}: a deletion is held and the alarm stands: {:?} for stack {} ({})",
                    self.pool,
                    change.parameters,
                    self.config.stack,
                    answer.request_id.unwrap_or_default()
                );
                Ok(())
            }
            // The group is as large as it may be.
            Err(CloudError::Refused { status: 400, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The alarm: a resource of the stack itself, or of another stack beside it.
    async fn alarm_id(&self, work: &mut Work) -> Result<Option<String>, CloudError> {
        let of_view = self
            .ledger()
            .view
            .as_ref()
            .and_then(|(_, view)| view.alarm.clone());
        if of_view.is_some() {
            return Ok(of_view);
        }
        if work.alarm.is_none()
            && let Some(path) = work.stack_path()
        {
            let name = &self.config.scale_out_alarm;
            work.alarm = self.heat.find_alarm(name, path).await?;
        }
        Ok(work.alarm.clone())
    }

    fn group_path(&self) -> Option<StackPath> {
        let ledger = self.ledger();
        ledger
            .view
            .as_ref()
            .and_then(|(_, view)| view.group.clone())
    }
}

/// By what a look at a member tells that Heat goes on with it.
pub(super) type Sign = (String, Status);

fn sign(row: &Row) -> Sign {
    (row.identity.clone(), row.status)
}

/// Whether something is waited for, nobody holds it, and for [`FORGOTTEN`] nothing else was seen.
fn stands_still(
    still: &mut Option<(Instant, Vec<Sign>)>,
    signs: Vec<Sign>,
    wish: &Wish,
    waits: bool,
) -> bool {
    let since = match still.take() {
        Some((since, before)) if before == signs => since,
        _ => Instant::now(),
    };
    *still = Some((since, signs));
    let is_held = wish.going.iter().any(|row| !row.held.is_empty());
    let is_coming = wish.stay.iter().any(Row::is_coming);
    let is_waited_for = waits || !wish.going.is_empty();
    is_waited_for && !is_held && !is_coming && since.elapsed() >= FORGOTTEN
}

/// Whether something strange has been seen of a member for long enough.
fn is_old(row: &Row, work: &mut Work) -> bool {
    let since = work.strange_since.entry(row.identity.clone());
    since.or_insert_with(Instant::now).elapsed() >= STRANGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actuator::heat::tests::row;

    #[tokio::test(start_paused = true)]
    async fn a_group_that_stands_still_while_something_is_waited_for_was_forgotten() {
        let going = |status: &str| Wish {
            going: vec![row("a", status)],
            ..Wish::default()
        };
        let signs = |wish: &Wish| wish.going.iter().map(sign).collect::<Vec<_>>();
        let mut still = None;
        let mut seen =
            |wish: &Wish, waits: bool| stands_still(&mut still, signs(wish), wish, waits);
        let wish = going("DELETE_IN_PROGRESS");
        assert!(!seen(&wish, false));
        tokio::time::advance(FORGOTTEN).await;
        assert!(seen(&wish, false));
        assert!(!seen(&going("DELETE_FAILED"), false), "Heat goes on");
        tokio::time::advance(FORGOTTEN).await;
        let mut held = going("DELETE_FAILED");
        held.going[0].held = vec!["server".into()];
        assert!(!seen(&held, false), "a hook holds it");
        let mut coming = going("DELETE_FAILED");
        coming.stay = vec![row("b", "CREATE_IN_PROGRESS")];
        assert!(!seen(&coming, false), "what is made is not broken off");
        assert!(seen(&going("DELETE_FAILED"), false));
        let nothing = Wish::default();
        assert!(!seen(&nothing, true), "another sight");
        tokio::time::advance(FORGOTTEN).await;
        assert!(seen(&nothing, true), "an update of which nothing comes");
        assert!(!seen(&nothing, false), "nothing is waited for");
    }
}
