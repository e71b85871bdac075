// Of one group's tasks the highest begins first: the one with the longest way below it, as a graph's critical path
// wants it.
//
// A group's ready tasks of one queue and rank are a line. One of them, the highest, stands in the queue; the others wait
// behind it, by height and then by number. The places that tasks of the line have taken, by the time they came, stay
// the line's: whoever begins uses up the first of them. So heights say who of the group goes, and never when it is the
// group's turn: nobody else waits longer, or less long, than without them.
//
// Invariant: a line has as many places as tasks, and its first task stands at the first of them. Whoever was woken, takes
// part in named limits, or goes before all others, is in no line: he would hold up those behind him, or be held up.
#include "limits.h"

namespace holdfast {

std::uint32_t Limits::line_of(const Node& node) {
  std::uint32_t& first = buckets_[node.group].lines;
  for (std::uint32_t i = first; i != kNone; i = lines_[i].next) {
    if (lines_[i].queue == node.queue && lines_[i].rank == node.rank) return i;
  }
  std::uint32_t index = free_line_;
  if (index != kNone) {
    free_line_ = lines_[index].next;
  } else {
    index = static_cast<std::uint32_t>(lines_.size());
    lines_.emplace_back();
  }
  Line& line = lines_[index];
  line.bucket = node.group;
  line.queue = node.queue;
  line.rank = node.rank;
  line.next = first;
  return first = index;
}

void Limits::free_line(std::uint32_t index) {
  Line& line = lines_[index];
  std::uint32_t* link = &buckets_[line.bucket].lines;
  while (*link != index) link = &lines_[*link].next;
  *link = line.next;
  line.places.clear();
  line.used = 0;
  line.next = free_line_;
  free_line_ = index;
}

void Limits::join_line(std::uint32_t slot, double order) {
  Node& node = nodes_[slot];
  const std::uint32_t index = line_of(node);
  turn_places_.reach(slot);
  turn_places_[slot] = {index, order};
  node.lined = true;
  Line& line = lines_[index];
  line.places.push_back(node.ticket);
  const std::uint32_t first = line.first;
  if (first == kNone) return head(line, slot);
  if (turn_places_[first].rank < order) return wait_behind(line, slot);
  withdraw(first);
  wait_behind(line, first);
  head(line, slot);
}

void Limits::wait_behind(Line& line, std::uint32_t slot) {
  nodes_[slot].rank = turn_places_[slot].rank;
  insert(line.behind, slot);
}

void Limits::head(Line& line, std::uint32_t slot) {
  line.first = slot;
  nodes_[slot].rank = line.rank;
  nodes_[slot].ticket = line.places[line.used];
  stand(slot);
}

// One that does not begin gives up the last place: it came too late for any other.
void Limits::leave_line(std::uint32_t slot) {
  nodes_[slot].lined = false;
  const std::uint32_t index = turn_places_[slot].turn;
  Line& line = lines_[index];
  const bool begins = line.begins;
  line.begins = false;
  if (begins) line.used++;
  else line.places.pop_back();
  if (line.first != slot) return remove(line.behind, slot);
  withdraw(slot);
  line.first = kNone;
  const std::uint32_t next = first(line.behind);
  if (next == kNone) return free_line(index);
  if (line.used >= 64 && line.used * 2 >= line.places.size()) {
    line.places.erase(line.places.begin(), line.places.begin() + static_cast<std::ptrdiff_t>(line.used));
    line.used = 0;
  }
  remove(line.behind, next);
  head(line, next);
}

// Whoever waits in a line has one of its places, in their order.
std::vector<std::uint64_t> Limits::tickets() const {
  std::vector<std::uint64_t> found(nodes_.size());
  for (std::uint32_t slot = 0; slot < nodes_.size(); slot++) found[slot] = nodes_[slot].ticket;
  for (const Line& line : lines_) {
    if (line.first == kNone) continue;
    std::size_t place = line.used;
    found[line.first] = line.places[place];
    line.behind.each([&](const Lane& lane) {
      if (lane.usual.head != kNone) found[lane.usual.head] = line.places[++place];
    });
  }
  return found;
}

}  // namespace holdfast
