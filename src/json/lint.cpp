#include "lint.h"

#include <algorithm>

namespace holdfast::json {

namespace {

using Place = std::function<std::string(std::size_t)>;

class Lint {
 public:
  Lint(const std::vector<Node>& nodes, const std::vector<Flow>& flows, const Plan& plan, Issues& issues, Allowance& allowance, const Place& place)
      : nodes_(nodes), flows_(flows), plan_(plan), issues_(issues), allowance_(allowance), place_(place), outgoing_(nodes.size()) {
    for (std::uint32_t i = 0; i < flows.size(); i++) {
      if (flows[i].sound()) outgoing_[flows[i].source].push_back(i);
    }
  }

  void run() {
    bool has_result = false;
    for (const Node& node : nodes_) has_result = has_result || node.is_result;
    find_reached();
    for (std::uint32_t i = 0; i < nodes_.size(); i++) {
      if (nodes_[i].id == nullptr) continue;
      if (reached_[i] == 0) warn("unreachable", i, "Task " + in_quotes(*nodes_[i].id) + " never begins: all that leads to it comes from a cycle, or from ports that are not there. Connect it to what runs, or remove it.");
      look_at_outputs(i, has_result);
      look_at_inputs(i);
    }
  }

 private:
  void warn(const char* code, std::uint32_t task, std::string message) { issues_.warn(code, place_(task), std::move(message)); }

  // In the order of the plan, which leaves out cycles and what is behind them.
  void find_reached() {
    reached_.assign(nodes_.size(), 0);
    for (const std::uint32_t task : plan_.order) {
      const auto& incoming = plan_.incoming[task];
      reached_[task] = incoming.empty();
      for (const std::uint32_t flow : incoming) reached_[task] |= reached_[flows_[flow].source] != 0 && !flows_[flow].from_nowhere;
    }
  }

  void look_at_outputs(std::uint32_t task, bool has_result) {
    const Node& node = nodes_[task];
    bool leads_on = false, whole = false;
    for (const std::uint32_t flow : outgoing_[task]) {
      leads_on = leads_on || flows_[flow].source_port != kErrorPort;
      whole = whole || flows_[flow].source_port == kAllPorts;
    }
    if (!leads_on) {
      if (has_result && !node.is_result) warn("unused-output", task, "Nothing takes what " + in_quotes(*node.id) + " gives, and the graph's result is that of other tasks: connect it, or remove it.");
      return;
    }
    const auto* ports = node.known && !whole ? object_of(find(*node.outputs, "properties")) : nullptr;
    if (ports == nullptr) return;
    for (const auto& [port, schema] : *ports) {
      const bool used = std::any_of(outgoing_[task].begin(), outgoing_[task].end(), [&, name = std::string_view(port)](std::uint32_t flow) { return flows_[flow].source_port == name; });
      if (!used) warn("unused-output", task, "Nothing takes the output " + in_quotes(port) + " of " + in_quotes(*node.id) + ".");
    }
  }

  void look_at_inputs(std::uint32_t task) {
    const Node& node = nodes_[task];
    if (!node.known) return;
    const auto& incoming = plan_.incoming[task];
    const auto* required = list_of(find(*node.inputs, "required"));
    for (std::size_t i = 0; required != nullptr && i < required->size(); i++) {
      const std::string* port = text_of(&(*required)[i]);
      if (port == nullptr || node.gives(*port)) continue;
      const bool is_fed = std::any_of(incoming.begin(), incoming.end(), [&](std::uint32_t flow) { return flows_[flow].target_port == *port || flows_[flow].target_port == kAllPorts; });
      if (is_fed) continue;
      if (incoming.empty()) warn("unconnected-input", task, "Nothing leads to the required input " + in_quotes(*port) + " of " + in_quotes(*node.id) + ": it has to come with the graph's input, or by a default.");
      look_behind(task, *port);
    }
  }

  // An edge from there would close a cycle.
  void look_behind(std::uint32_t task, const std::string& port) {
    if ((allowance_.document -= static_cast<long long>(nodes_.size() / 16)) <= 0) return;
    std::vector<std::uint32_t> open{task};
    std::vector<std::uint8_t> seen(nodes_.size(), 0);
    seen[task] = 1;
    std::uint32_t behind = task;
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      open.pop_back();
      if (at != task && feeds(at, task, port) && (behind == task || at < behind)) behind = at;
      for (const std::uint32_t flow : outgoing_[at]) {
        const std::uint32_t target = flows_[flow].target;
        if (seen[target] == 0) open.push_back(target);
        seen[target] = 1;
      }
      if (allowance_.document-- <= 0) return;
    }
    if (behind == task) return;
    for (std::uint32_t i = 0; i < nodes_.size(); i++) {
      if (seen[i] == 0 && feeds(i, task, port)) return;
    }
    warn("cycle-candidate", task, "What could feed the required input " + in_quotes(port) + " of " + in_quotes(*nodes_[task].id) + " is only " + in_quotes(*nodes_[behind].id) + ", which comes after it: that dataflow would close a cycle. Use a loop (While, Reduce), or feed it from elsewhere.");
  }

  // A port of that name, whose values may fit.
  bool feeds(std::uint32_t source, std::uint32_t target, const std::string& port) {
    const Node& from = nodes_[source];
    const auto* ports = from.known ? find(*from.outputs, "properties") : nullptr;
    return find(ports, port) != nullptr && ports_compatible(*from.outputs, port, *nodes_[target].inputs, port, allowance_) != Compatibility::Incompatible;
  }

  const std::vector<Node>& nodes_;
  const std::vector<Flow>& flows_;
  const Plan& plan_;
  Issues& issues_;
  Allowance& allowance_;
  const Place& place_;
  std::vector<std::vector<std::uint32_t>> outgoing_;
  std::vector<std::uint8_t> reached_;
};

}  // namespace

void lint(const std::vector<Node>& nodes, const std::vector<Flow>& flows, const Plan& plan, Issues& issues, Allowance& allowance, const Place& place) { Lint(nodes, flows, plan, issues, allowance, place).run(); }

}  // namespace holdfast::json
