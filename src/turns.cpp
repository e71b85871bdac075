// Fair order: the keys of a queue begin in turn, each as often as its weight says.
//
// Of each key one is in line, by its rank; a start of the key moves the rank of its next on by 1 / weight. A key that
// was away, or could not begin, has no credit from that: its rank is never before what began last (start-time fair
// queuing, which is a deficit round robin whose deficits are kept as moments). So between two starts of a key that
// could begin, another one has no more turns than its weight beside theirs, and one.
//
// Invariant: a key with tasks in the queue has exactly one of them in line, the best. Turns are of a page: after a
// reload all keys begin anew.
#include <algorithm>

#include "limits.h"

namespace holdfast {

void Limits::set_turn_weight(std::uint32_t queue, double key, std::uint32_t weight) {
  Queue& q = queue_at(queue);
  q.known = true;
  if (!q.turns) q.turns = std::make_unique<Turns>();
  q.turns->list[turn_of(*q.turns, key)].weight = weight;
}

std::uint32_t Limits::turn_of(Turns& turns, double key) {
  std::uint32_t found = kNone;
  const auto look = [&] {
    turns.by_key.each(key, [&](std::uint32_t turn) { found = turn; });
  };
  look();
  if (found != kNone) return found;
  if (turns.list.size() >= turns.sweep_at) sweep_turns(turns);
  found = static_cast<std::uint32_t>(turns.list.size());
  turns.list.emplace_back();
  turns.list.back().key = key;
  turns.by_key.add(found, key);
  return found;
}

// Keys of which nothing is remembered go, many at a time: the last ones take their places.
void Limits::sweep_turns(Turns& turns) {
  for (std::uint32_t i = 0; i < turns.list.size();) {
    const Turn& turn = turns.list[i];
    if (turn.first != kNone || turn.weight != 1 || turn.next_rank > turns.now) {
      i++;
      continue;
    }
    const auto last = static_cast<std::uint32_t>(turns.list.size() - 1);
    turns.by_key.remove(i, turn.key);
    if (i != last) {
      turns.by_key.remove(last, turns.list[last].key);
      turns.list[i] = std::move(turns.list[last]);
      turns.by_key.add(i, turns.list[i].key);
      const auto move = [&](std::uint32_t slot) { turn_places_[slot].turn = i; };
      if (turns.list[i].first != kNone) move(turns.list[i].first);
      turns.list[i].behind.each([&](const Lane& lane) {
        for (const List& list : {lane.ahead, lane.usual}) {
          for (std::uint32_t slot = list.head; slot != kNone; slot = nodes_[slot].next) move(slot);
        }
      });
    }
    turns.list.pop_back();
  }
  turns.sweep_at = std::max<std::size_t>(64, turns.list.size() * 2);
}

// Whoever goes before all others waits for no turn.
void Limits::line_up(const Claim& claim) {
  turn_places_.reach(claim.slot);
  TurnPlace& place = turn_places_[claim.slot];
  place = {};
  if (claim.promoted) return stand(claim.slot);
  Turns& turns = *queues_[claim.queue].turns;
  place.turn = turn_of(turns, claim.turn);
  place.rank = nodes_[claim.slot].rank;
  Turn& turn = turns.list[place.turn];
  if (turn.first == kNone) {
    turn.next_rank = std::max(turn.next_rank, turns.now);
    return lead(turn, claim.slot);
  }
  const std::uint32_t first = turn.first;
  Node in_line = nodes_[first];
  in_line.rank = turn_places_[first].rank;
  if (!before(nodes_[claim.slot], in_line)) return insert(turn.behind, claim.slot);
  withdraw(first);
  nodes_[first].rank = turn_places_[first].rank;
  insert(turn.behind, first);
  lead(turn, claim.slot);
}

void Limits::lead(Turn& turn, std::uint32_t slot) {
  turn.first = slot;
  nodes_[slot].rank = turn.next_rank;
  stand(slot);
}

void Limits::step_out(std::uint32_t slot) {
  const std::uint32_t index = turn_places_[slot].turn;
  if (index == kNone) return withdraw(slot);
  Turn& turn = queues_[nodes_[slot].queue].turns->list[index];
  if (turn.first != slot) return remove(turn.behind, slot);
  withdraw(slot);
  turn.first = kNone;
  const std::uint32_t next = Limits::first(turn.behind);
  if (next == kNone) return;
  remove(turn.behind, next);
  lead(turn, next);
}

// One of the key begins. A journal may say so of any of them.
void Limits::count_turn(Turns& turns, std::uint32_t slot) {
  if (!queued(slot) || turn_places_[slot].turn == kNone) return;
  Turn& turn = turns.list[turn_places_[slot].turn];
  turns.now = std::max(turns.now, turn.next_rank);
  turn.next_rank = turns.now + 1.0 / turn.weight;
}

}  // namespace holdfast
