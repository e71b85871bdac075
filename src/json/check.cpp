#include "check.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "graph.h"
#include "lint.h"

namespace holdfast::json {

namespace {

const Origins kAsGiven;

struct Budget {
  std::size_t tasks = 0, dataflows = 0;
  Allowance allowance;
  struct Pair {
    const Json *output, *input;
    std::string_view from, to;
    bool operator==(const Pair&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Pair& pair) const {
      const std::hash<std::string_view> text;
      const std::hash<const void*> address;
      return ((address(pair.output) * 31 + address(pair.input)) * 31 + text(pair.from)) * 31 + text(pair.to);
    }
  };
  std::unordered_map<Pair, Compatibility, Hash> known;  // what was asked before
};

// One graph of the document, the outermost or one inside a task.
class Check {
 public:
  Check(const Json& document, const Origins& origins, std::string_view base, std::size_t depth, const Catalogue& catalogue, Budget& budget, Issues& issues)
      : document_(document), origins_(origins), base_(base), depth_(depth), catalogue_(catalogue), budget_(budget), issues_(issues) {}

  Plan run() {
    if (!document_.is_object()) {
      error("not-a-graph", base_, "A graph document is an object with `tasks` and `dataflows`, or a list of tasks with `dependencies`.");
      return {};
    }
    const auto* tasks = list("tasks", true);
    const auto* flows = list("dataflows", false);
    budget_.tasks += tasks == nullptr ? 0 : tasks->size();
    budget_.dataflows += flows == nullptr ? 0 : flows->size();
    if (budget_.tasks > catalogue_.tasks) error("too-large", list_place("tasks"), "More than " + std::to_string(catalogue_.tasks) + " tasks: split the graph, or raise limits.maxTasks.");
    if (budget_.dataflows > catalogue_.dataflows) error("too-large", list_place("dataflows"), "More than " + std::to_string(catalogue_.dataflows) + " dataflows: split the graph, or raise limits.maxDataflows.");
    if (budget_.tasks > catalogue_.tasks || budget_.dataflows > catalogue_.dataflows) return {};
    for (std::uint32_t i = 0; tasks != nullptr && i < tasks->size(); i++) take_task((*tasks)[i], i);
    for (std::uint32_t i = 0; flows != nullptr && i < flows->size(); i++) take_flow((*flows)[i], i);
    plan_.incoming.resize(nodes_.size());
    for (std::uint32_t i = 0; i < flows_.size(); i++) {
      if (flows_[i].sound()) plan_.incoming[flows_[i].target].push_back(i);
    }
    sort_incoming();
    look_at_inputs();
    sort();
    pair_up();
    if (catalogue_.lint) lint(nodes_, flows_, plan_, issues_, budget_.allowance, [this](std::size_t task) { return task_place(task); });
    return std::move(plan_);
  }

 private:
  void error(std::string code, std::string place, std::string message) { issues_.error(std::move(code), std::move(place), std::move(message)); }
  bool lists() const { return origins_.form == Origins::Form::Dependencies; }
  std::string list_place(std::string_view key) const { return lists() ? base_ : pointer(base_, key == "tasks" ? origins_.tasks : origins_.dataflows); }
  // What the key was called in the form that was given; empty: it stood elsewhere, or has had several names.
  std::string_view given_key(std::string_view key) const {
    if (key == "subgraph") return origins_.subgraph;
    if (origins_.form == Origins::Form::Graph) return key;
    if (key == "targetTaskId" || key == "targetTaskPortId" || key == "sourceTaskPortId") return lists() && key[0] == 's' ? "output" : "";
    if (lists()) return key == "sourceTaskId" ? "id" : key;
    return key == "defaults" ? "" : key;
  }
  static std::string with(std::string place, std::string_view key) { return key.empty() ? place : pointer(place, key); }
  std::string task_place(std::size_t task, std::string_view key = {}) const { return with(pointer(list_place("tasks"), task), given_key(key)); }
  std::string flow_place(std::size_t flow, std::string_view key = {}) const {
    if (!lists()) return with(pointer(list_place("dataflows"), flow), given_key(key));
    const auto& [task, place] = origins_.flows[flow];
    const Json& json = (*list_of(find(document_, "dataflows")))[flow];
    std::string port = pointer(pointer(task_place(task), "dependencies"), *text_of(find(json, "targetTaskPortId")));
    return with(place < 0 ? port : pointer(port, static_cast<std::size_t>(place)), given_key(key));
  }

  const Json::array_t* list(std::string_view key, bool required) {
    const Json* found = find(document_, key);
    if (found == nullptr && !required) return nullptr;
    if (found == nullptr) error("missing-field", base_, "`" + std::string(key) + "` is missing: give a list, which may be empty.");
    else if (!found->is_array()) error("wrong-type", list_place(key), "`" + std::string(key) + "` has to be a list, but is " + found->type_name() + ".");
    return list_of(found);
  }

  // `place` is asked where something is wrong: there are many, and mostly nothing is.
  template <class Place>
  const std::string* text(const Json& object, std::string_view key, Place place) {
    const Json* found = find(object, key);
    const std::string* value = text_of(found);
    if (value != nullptr && !value->empty()) return value;
    const std::string_view given = given_key(key);
    const std::string name = "`" + std::string(given.empty() ? key : given) + "`";
    if (found == nullptr || found->is_null()) error("missing-field", place(std::string_view{}), name + " is missing: give a text.");
    else error("wrong-type", place(key), name + " has to be a text that is not empty.");
    return nullptr;
  }

  void take_task(const Json& task, std::uint32_t index) {
    Node& node = nodes_.emplace_back();
    if (!task.is_object()) return error("wrong-type", task_place(index), "A task has to be an object with `id` and `type`.");
    node.id = text(task, "id", [&](std::string_view key) { return task_place(index, key); });
    if (node.id != nullptr) {
      const auto [known, fresh] = by_id_.emplace(*node.id, index);
      if (!fresh) error("duplicate-id", task_place(index, "id"), "The id " + in_quotes(*node.id) + " is that of " + task_place(known->second) + " too: ids are unique in a graph.");
    }
    for (const std::string_view key : {"config", "defaults"}) {
      const Json* value = find(task, key);
      if (value != nullptr && !value->is_object()) error("wrong-type", task_place(index, key), "`" + std::string(key) + "` has to be an object, but is " + value->type_name() + ".");
    }
    take_type(task, node, index);
    take_subgraph(task, node, index);
    const Json* merge = find(task, "merge");
    const std::string* name = text_of(merge);
    if (merge != nullptr && (name == nullptr || (catalogue_.checks_merges && !catalogue_.merges.contains(*name)))) {
      error("unknown-merge", task_place(index, "merge"), "The merge strategy " + (name == nullptr ? std::string("here is no text") : in_quotes(*name) + " is not known") + ".");
    }
  }

  void take_type(const Json& task, Node& node, std::uint32_t index) {
    const Json* config = find(task, "config");
    node.defaults = find(task, "defaults");
    if (node.defaults == nullptr) node.defaults = find(config, "defaults");
    const std::string* type = text(task, "type", [&](std::string_view key) { return task_place(index, key); });
    if (type == nullptr) return;
    const auto found = catalogue_.types.find(*type);
    if (!catalogue_.checks_types) return;
    if (found == catalogue_.types.end()) return error("unknown-type", task_place(index, "type"), "The type " + in_quotes(*type) + " is not registered, or not allowed here. Register it: registerTask(…).");
    node.known = !found->second.dynamic;
    node.is_result = found->second.is_result;
    node.inputs = found->second.inputs;
    node.outputs = found->second.outputs;
    for (const auto& [key, schema] : {std::pair{"inputSchema", &node.inputs}, std::pair{"outputSchema", &node.outputs}}) {
      const Json* own = find(config, key);
      if (own != nullptr && (own->is_object() || own->is_boolean())) *schema = own;
    }
    // Ports that somebody says are known, whatever they come from.
    node.known = node.known || (node.inputs == find(config, "inputSchema") && node.outputs == find(config, "outputSchema"));
  }

  void take_subgraph(const Json& task, Node& node, std::uint32_t index) {
    const Json* inner = find(task, "subgraph");
    if (inner == nullptr) return;
    // Its ports are those of what is inside, if nothing else is said.
    const Json* config = find(task, "config");
    node.known = node.known && node.inputs == find(config, "inputSchema") && node.outputs == find(config, "outputSchema");
    if (depth_ >= catalogue_.nesting) return error("too-deep", task_place(index, "subgraph"), "Graphs inside graphs more than " + std::to_string(catalogue_.nesting) + " deep: flatten them, or raise limits.maxNesting.");
    plan_.containers.push_back(index);
    const Origins* inside = origins_.of(index);
    plan_.subgraphs.push_back(Check(*inner, inside == nullptr ? kAsGiven : *inside, task_place(index, "subgraph"), depth_ + 1, catalogue_, budget_, issues_).run());
  }

  std::uint32_t end(const Json& flow, std::string_view key, std::uint32_t index) {
    const std::string* id = text(flow, key, [&](std::string_view name) { return flow_place(index, name); });
    if (id == nullptr) return kNowhere;
    const auto found = by_id_.find(*id);
    if (found != by_id_.end()) return found->second;
    error("unknown-task", flow_place(index, key), "There is no task " + in_quotes(*id) + " in this graph.");
    return kNowhere;
  }

  void take_flow(const Json& json, std::uint32_t index) {
    Flow& flow = flows_.emplace_back();
    if (!json.is_object()) return error("wrong-type", flow_place(index), "A dataflow has to be an object with its source and its target.");
    flow.source = end(json, "sourceTaskId", index);
    flow.target = end(json, "targetTaskId", index);
    const auto place = [&](std::string_view key) { return flow_place(index, key); };
    const std::string *from = text(json, "sourceTaskPortId", place), *to = text(json, "targetTaskPortId", place);
    look_at_transforms(json, flow, index);
    if (flow.source != kNowhere && flow.source == flow.target) error("self-edge", flow_place(index), "Task " + in_quotes(*nodes_[flow.source].id) + " can't feed itself: use a loop (While, Reduce) inside it.");
    if (from == nullptr || to == nullptr) {
      flow.source = kNowhere;
      return;
    }
    flow.source_port = *from;
    flow.target_port = *to;
    if (!flow.sound()) return;
    nodes_[flow.target].incoming = true;
    look_at_ports(flow, index);
  }

  void look_at_transforms(const Json& json, Flow& flow, std::uint32_t index) {
    const Json* transforms = find(json, "transforms");
    if (transforms == nullptr) return;
    if (!transforms->is_array()) return error("wrong-type", flow_place(index, "transforms"), "`transforms` has to be a list of `{ id, params? }`.");
    flow.transformed = !transforms->empty();
    for (std::size_t i = 0; i < transforms->size(); i++) {
      const std::string place = pointer(flow_place(index, "transforms"), i);
      const std::string* id = text_of(find((*transforms)[i], "id"));
      if (id == nullptr) error("missing-field", place, "A transform has to name its `id`.");
      else if (catalogue_.checks_transforms && !catalogue_.transforms.contains(*id)) error("unknown-transform", pointer(place, "id"), "The transform " + in_quotes(*id) + " is not registered.");
    }
  }

  void look_at_ports(Flow& flow, std::uint32_t index) {
    const Node &source = nodes_[flow.source], &target = nodes_[flow.target];
    const bool from_port = flow.source_port != kAllPorts && flow.source_port != kErrorPort;
    const bool no_source = source.known && from_port && port_of(*source.outputs, flow.source_port) == nullptr;
    const bool no_target = target.known && flow.target_port != kAllPorts && port_of(*target.inputs, flow.target_port) == nullptr;
    flow.from_nowhere = no_source;
    if (no_source) error("unknown-port", flow_place(index, "sourceTaskPortId"), "Task " + in_quotes(*source.id) + " has no output " + in_quotes(flow.source_port) + ".");
    if (no_target) error("unknown-port", flow_place(index, "targetTaskPortId"), "Task " + in_quotes(*target.id) + " has no input " + in_quotes(flow.target_port) + ".");
    if (no_source || no_target || !source.known || !target.known || flow.transformed) return;
    const auto [entry, fresh] = budget_.known.try_emplace({source.outputs, target.inputs, flow.source_port, flow.target_port});
    if (fresh) entry->second = ports_compatible(*source.outputs, flow.source_port, *target.inputs, flow.target_port, budget_.allowance);
    if (entry->second != Compatibility::Incompatible) return;
    issues_.add({"incompatible-ports", flow_place(index),
                 "What " + in_quotes(*source.id) + "[" + std::string(flow.source_port) + "] gives does not fit " + in_quotes(*target.id) + "[" + std::string(flow.target_port) + "]: connect another port, or add a transform.",
                 catalogue_.strict ? Severity::Error : Severity::Warning});
  }

  // `source[port] ==> target[port]`
  std::string id_of(const Flow& flow) const {
    const std::string_view parts[] = {*nodes_[flow.source].id, "[", flow.source_port, "] ==> ", *nodes_[flow.target].id, "[", flow.target_port, "]"};
    std::string id;
    id.reserve(flow.source_port.size() + flow.target_port.size() + nodes_[flow.source].id->size() + nodes_[flow.target].id->size() + 9);
    for (const std::string_view part : parts) id += part;
    return id;
  }

  void sort_incoming() {
    std::vector<std::pair<std::string, std::uint32_t>> named;
    for (auto& incoming : plan_.incoming) {
      if (incoming.size() < 2) continue;
      named.clear();
      for (const std::uint32_t flow : incoming) named.emplace_back(id_of(flows_[flow]), flow);
      std::sort(named.begin(), named.end());
      for (std::size_t i = 0; i < named.size(); i++) {
        incoming[i] = named[i].second;
        if (i > 0 && named[i].first == named[i - 1].first) error("duplicate-dataflow", flow_place(named[i].second), "It connects what " + flow_place(named[i - 1].second) + " connects already: remove one.");
      }
    }
  }

  // What a port without a value would stop, and where several edges would push each other out.
  void look_at_inputs() {
    for (std::uint32_t index = 0; index < nodes_.size(); index++) {
      const Node& node = nodes_[index];
      // What nothing leads to gets the graph's input.
      if (!node.known || !node.incoming) continue;
      std::unordered_map<std::string_view, std::uint32_t> fed;
      bool all = false;
      for (const std::uint32_t flow : plan_.incoming[index]) {
        const std::string_view port = flows_[flow].target_port;
        all = all || port == kAllPorts;
        const auto [first, fresh] = fed.emplace(port, flow);
        const Flow &mine = flows_[flow], &theirs = flows_[first->second];
        // Of a failure and of what came instead one is there.
        const bool either = (mine.source_port == kErrorPort) != (theirs.source_port == kErrorPort) && mine.source == theirs.source;
        if (fresh || port == kAllPorts || either || takes_several(port_of(*node.inputs, port))) continue;
        issues_.warn("merge-conflict", flow_place(flow, "targetTaskPortId"), "Several dataflows lead into " + in_quotes(*node.id) + "[" + std::string(port) + "], which takes one value: the last one wins. Make the port an array, or remove the others.");
      }
      const auto* required = list_of(find(node.inputs, "required"));
      for (std::size_t i = 0; required != nullptr && !all && i < required->size(); i++) {
        const std::string* port = text_of(&(*required)[i]);
        if (port == nullptr || fed.contains(*port) || node.gives(*port)) continue;
        error("missing-input", task_place(index), "The required input " + in_quotes(*port) + " of " + in_quotes(*node.id) + " gets no value: connect it, or give it a default.");
      }
    }
  }

  // Kahn's order; heights on the way back. What is left lies on cycles, or behind them.
  void sort() {
    std::vector<std::uint32_t> waits(nodes_.size(), 0), first(nodes_.size() + 1, 0), out;
    for (const Flow& flow : flows_) {
      if (flow.sound()) first[flow.source + 1]++, waits[flow.target]++;
    }
    for (std::size_t i = 1; i < first.size(); i++) first[i] += first[i - 1];
    out.resize(first.back());
    std::vector<std::uint32_t> place(first.begin(), first.end() - 1);
    for (std::uint32_t i = 0; i < flows_.size(); i++) {
      if (flows_[i].sound()) out[place[flows_[i].source]++] = i;
    }
    auto& order = plan_.order;
    for (std::uint32_t i = 0; i < nodes_.size(); i++) {
      if (waits[i] == 0) order.push_back(i);
    }
    for (std::size_t done = 0; done < order.size(); done++) {
      for (std::uint32_t i = first[order[done]]; i < first[order[done] + 1]; i++) {
        if (--waits[flows_[out[i]].target] == 0) order.push_back(flows_[out[i]].target);
      }
    }
    plan_.heights.assign(nodes_.size(), 1);
    for (std::size_t i = order.size(); i-- > 0;) {
      std::uint32_t& height = plan_.heights[order[i]];
      for (std::uint32_t j = first[order[i]]; j < first[order[i] + 1]; j++) height = std::max(height, plan_.heights[flows_[out[j]].target] + 1);
    }
    if (order.size() < nodes_.size()) name_cycles(waits);
  }

  // Against the edges, among those that wait, one comes back to where one was. Each is named once.
  void name_cycles(const std::vector<std::uint32_t>& waits) {
    std::vector<std::uint32_t> seen(nodes_.size(), 0);
    for (std::uint32_t start = 0, walk = 1; start < nodes_.size(); start++) {
      if (waits[start] == 0 || seen[start] != 0) continue;
      walk++;
      std::vector<std::uint32_t> path;  // dataflows
      std::uint32_t node = start;
      while (seen[node] == 0) {
        seen[node] = walk;
        for (const std::uint32_t flow : plan_.incoming[node]) {
          if (waits[flows_[flow].source] == 0) continue;
          path.push_back(flow);
          node = flows_[flow].source;
          break;
        }
      }
      if (seen[node] == walk) name_cycle(path, node);
    }
  }

  void name_cycle(const std::vector<std::uint32_t>& path, std::uint32_t node) {
    constexpr std::size_t most = 20;
    // The walk went backwards: the dataflow that leads into the node came first.
    std::size_t last = path.size() - 1;
    while (flows_[path[last]].target != node) last--;
    std::string names = in_quotes(*nodes_[node].id);
    for (std::size_t i = path.size(), named = 0; i-- > last;) {
      const bool enough = ++named > most && i > last;
      names += enough ? std::string(" → … → ") + in_quotes(*nodes_[node].id) : " → " + in_quotes(*nodes_[flows_[path[i]].target].id);
      if (enough) break;
    }
    error("cycle", flow_place(path[last]), "A cycle: " + names + ". Remove one of its dataflows; loops are made with While or Reduce.");
  }

  void pair_up() {
    for (const std::uint32_t target : plan_.order) {
      const auto begin = static_cast<std::ptrdiff_t>(plan_.pairs.size());
      std::unordered_map<std::uint32_t, std::size_t> known;
      for (const std::uint32_t index : plan_.incoming[target]) {
        const Flow& flow = flows_[index];
        const auto [entry, fresh] = known.emplace(flow.source, plan_.pairs.size());
        if (fresh) plan_.pairs.push_back({flow.source, target, {}, {}});
        auto& pair = plan_.pairs[entry->second];
        (flow.source_port == kErrorPort ? pair.errors : pair.data).push_back(index);
      }
      std::sort(plan_.pairs.begin() + begin, plan_.pairs.end(), [](const Plan::Pair& x, const Plan::Pair& y) { return x.source < y.source; });
    }
  }

  const Json& document_;
  const Origins& origins_;
  const std::string base_;
  const std::size_t depth_;
  const Catalogue& catalogue_;
  Budget& budget_;
  Issues& issues_;
  std::vector<Node> nodes_;
  std::vector<Flow> flows_;
  std::unordered_map<std::string_view, std::uint32_t> by_id_;
  Plan plan_;
};

}  // namespace

Plan check(const Json& document, const Origins& origins, const Catalogue& catalogue, Issues& issues) {
  Budget budget;
  return Check(document, origins, "", 0, catalogue, budget, issues).run();
}

}  // namespace holdfast::json
