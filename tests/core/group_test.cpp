// Groups: settled once, limited, and stopped after too many failures.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("A group is settled once, when it is closed and all its members have ended") {
  Scenario s;
  s.group(1, GroupField::Concurrency, 0);
  for (std::uint32_t task = 1; task <= 3; task++) s.member(task, 1);
  s.succeed(1);
  s.settle(2, Outcome::Fatal);
  CHECK(s.group(1, GroupField::Closed, 1) == Events{Event::GroupSet});
  CHECK(s.succeed(3) == Events{Event::Succeeded, Event::GroupSettled});
  CHECK(s.last(Event::GroupSettled).a == 2);
  CHECK(s.last(Event::GroupSettled).b == 1);
  CHECK(s.give(Command::Retry, 2) == Events{Event::Retried, Event::Started});
  CHECK(s.succeed(2) == Events{Event::Succeeded});
}

TEST_CASE("An empty group is settled as it closes, and its number is free again") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  CHECK(s.group(1, GroupField::Closed, 1) == Events{Event::GroupSet, Event::GroupSettled});
  s.draft(1);
  s.give(Command::JoinGroup, 1, 1);
  CHECK(s.refused(Rejection::UnknownGroup));
}

TEST_CASE("A group that lets finish cancels only those that have not begun") {
  Scenario s;
  s.group(1, GroupField::Concurrency, 2);
  s.group(1, GroupField::FailureThreshold, 1);
  s.group(1, GroupField::LetsFinish, 1);
  for (std::uint32_t task = 1; task <= 4; task++) s.member(task, 1);
  s.settle(1, Outcome::Fatal);
  CHECK(s.state(2) == State::Running);
  CHECK(s.state(3) == State::Cancelled);
  CHECK(s.state(4) == State::Cancelled);
  s.member(5, 1);
  CHECK(s.state(5) == State::Cancelled);
  s.group(1, GroupField::Closed, 1);
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::GroupSettled});
  CHECK(same_state(s.session.core(), read_log(s.log(), 1).core));
}

TEST_CASE("Nobody joins a closed group, or two groups") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  s.group(2, GroupField::FailureThreshold, 1);
  s.member(1, 1);
  s.member(2, 1);
  s.group(1, GroupField::Closed, 1);
  s.draft(3);
  s.give(Command::JoinGroup, 3, 1);
  CHECK(s.refused(Rejection::GroupClosed));
  s.give(Command::JoinGroup, 3, 2);
  s.give(Command::JoinGroup, 3, 2);
  CHECK(s.refused(Rejection::WrongState));
  s.group(1, GroupField::Closed, 1);
  CHECK(s.refused(Rejection::GroupClosed));
}

TEST_CASE("A group's limit holds up nobody else") {
  Scenario s;
  s.group(1, GroupField::Concurrency, 2);
  for (std::uint32_t task = 1; task <= 5; task++) s.member(task, 1);
  CHECK(s.create(9) == Events{Event::Created, Event::Started});
  CHECK(s.state(3) == State::Ready);
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::Started});
  CHECK(s.tasks(Event::Started) == Tasks{3});
  CHECK(s.group(1, GroupField::Concurrency, 0) == Events{Event::GroupSet, Event::Started, Event::Started});
  CHECK(s.tasks(Event::Started) == Tasks{4, 5});
}

TEST_CASE("A paused queue does not keep its group's room from other queues") {
  Scenario s;
  s.queue(1, QueueField::Paused, 1);
  s.group(1, GroupField::Concurrency, 1);
  s.member(1, 1);
  s.member(2, 1, 1);
  s.member(3, 1);
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::Started});
  CHECK(s.tasks(Event::Started) == Tasks{3});
}

TEST_CASE("After too many failures the waiting members are cancelled, the running ones stopped") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 2);
  s.group(1, GroupField::Concurrency, 3);
  for (std::uint32_t task = 1; task <= 5; task++) s.member(task, 1);
  s.settle(1, Outcome::Fatal);
  s.settle(2, Outcome::Fatal);
  CHECK(s.tasks(Event::Stopping) == Tasks{3, 4});
  CHECK(s.tasks(Event::Cancelled) == Tasks{5});
  CHECK(s.last(Event::Cancelled).a >> 24 == number(CancelCause::Group));
  CHECK(s.stopping(3) == StopReason::Cascade);
  CHECK(s.succeed(3) == Events{Event::Cancelled});
  s.group(1, GroupField::Closed, 1);
  CHECK(s.succeed(4) == Events{Event::Cancelled, Event::GroupSettled});
  CHECK(s.last(Event::GroupSettled).b == 5);
}

TEST_CASE("Members that somebody cancelled do not count as failures") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  s.member(1, 1);
  s.member(2, 1);
  s.cancel(1);
  CHECK(s.succeed(1) == Events{Event::Cancelled});
  CHECK(s.state(2) == State::Running);
}

TEST_CASE("A member cancelled by its edge counts as a failure") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  s.create(1);
  s.draft(2);
  s.depend(2, 1);
  s.give(Command::JoinGroup, 2, 1);
  s.submit(2);
  s.member(3, 1);
  s.settle(1, Outcome::Fatal);
  CHECK(s.state(2) == State::Cancelled);
  CHECK(s.stopping(3) == StopReason::Cascade);
}

TEST_CASE("A retried member is open again") {
  Scenario s;
  s.group(1, GroupField::Concurrency, 0);
  s.member(1, 1);
  s.member(2, 1);
  s.settle(1, Outcome::Fatal);
  s.give(Command::Retry, 1);
  s.group(1, GroupField::Closed, 1);
  CHECK(s.succeed(2) == Events{Event::Succeeded});
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::GroupSettled});
  CHECK(s.last(Event::GroupSettled).b == 0);
}

TEST_CASE("Who joins a group that has failed is cancelled as its others were") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  s.member(1, 1);
  s.settle(1, Outcome::Fatal);
  s.draft(2);
  CHECK(s.give(Command::JoinGroup, 2, 1) == Events{Event::Joined, Event::Cancelled});
  CHECK(s.last(Event::Cancelled).a >> 24 == number(CancelCause::Group));
  s.submit(2);
  CHECK(s.refused(Rejection::WrongState));
  CHECK(s.group(1, GroupField::Closed, 1) == Events{Event::GroupSet, Event::GroupSettled});
  CHECK(s.last(Event::GroupSettled).b == 2);
}

TEST_CASE("What has failed joins a group for its retry, and is no failure of that any more when it goes on") {
  Scenario s;
  s.create(1);
  s.settle(1, Outcome::Fatal);
  s.group(1, GroupField::Concurrency, 1);
  CHECK(s.give(Command::JoinGroup, 1, 1) == Events{Event::Joined});
  CHECK(s.give(Command::Retry, 1) == Events{Event::Retried, Event::Started});
  s.member(2, 1);
  CHECK(s.state(2) == State::Ready);
  s.group(1, GroupField::FailureThreshold, 1);
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::Started});
  s.group(1, GroupField::Closed, 1);
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::GroupSettled});
  CHECK(s.last(Event::GroupSettled).a == 2);
}

TEST_CASE("What has succeeded, or still goes on, joins no group") {
  Scenario s;
  s.group(1, GroupField::Concurrency, 1);
  s.create(1);
  s.give(Command::JoinGroup, 1, 1);
  CHECK(s.refused(Rejection::AlreadySubmitted));
  s.succeed(1);
  s.give(Command::JoinGroup, 1, 1);
  CHECK(s.refused(Rejection::WrongState));
}

TEST_CASE("A group closes as its owner ends, and is its owner's until it is settled") {
  Scenario s;
  s.create(9);
  s.group(1, GroupField::Owner, 9);
  CHECK(s.value(9, Field::OwnedGroup) == 1);
  s.member(1, 1);
  CHECK(s.value(1, Field::Group) == 1);
  CHECK(s.value(0, Field::GroupEnd) == 2);
  CHECK(s.succeed(9) == Events{Event::Succeeded});
  s.draft(2);
  s.give(Command::JoinGroup, 2, 1);
  CHECK(s.refused(Rejection::GroupClosed));
  CHECK(s.value(9, Field::OwnedGroup) == 1);
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::GroupSettled});
  CHECK(s.value(9, Field::OwnedGroup) == 0);
  CHECK(s.value(1, Field::Group) == 0);
}

TEST_CASE("A task owns one group, the last, and none once it is forgotten; what has ended owns none") {
  Scenario s;
  s.create(9);
  s.group(1, GroupField::Owner, 9);
  s.group(2, GroupField::Owner, 9);
  s.member(1, 2);
  s.succeed(9);
  CHECK(s.value(9, Field::OwnedGroup) == 2);
  s.group(3, GroupField::Owner, 9);
  CHECK(s.refused(Rejection::WrongState));
  s.group(3, GroupField::Owner, 8);
  CHECK(s.refused(Rejection::UnknownTask));
  s.give(Command::Forget, 9);
  s.create(9);
  CHECK(s.value(9, Field::OwnedGroup) == 0);
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::GroupSettled});
}

TEST_CASE("An import keeps whose a group is, under numbers that the host has not given out") {
  Scenario dead;
  dead.create(9);
  dead.group(1, GroupField::Owner, 9);
  dead.member(1, 1);
  const auto log = dead.log();

  Scenario s;
  s.group(1, GroupField::Concurrency, 1);
  s.put(log);
  REQUIRE(s.session.import_log(log.size(), 100, 7) == 2);
  s.said = s.session.outbox();
  CHECK(s.tasks(Event::ImportedGroup) == Tasks{7});
  CHECK(s.value(101, Field::OwnedGroup) == 7);
  CHECK(s.value(100, Field::Group) == 7);
}

TEST_CASE("A compacted log keeps whose a group is") {
  Scenario s;
  s.create(9);
  s.group(1, GroupField::Owner, 9);
  s.member(1, 1);
  const auto log = s.log();
  s.put(log);
  REQUIRE(s.session.compact(log.size()) > 0);
  Scenario next;
  next.load(s.session.frame());
  CHECK(next.value(9, Field::OwnedGroup) == 1);
  CHECK(next.value(1, Field::Group) == 1);
}
