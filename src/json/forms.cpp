#include "forms.h"

#include <algorithm>
#include <unordered_map>

namespace holdfast::json {

namespace {

using Members = Json::object_t::Container;

Members& members_of(Json& object) { return object.get_ref<Json::object_t&>(); }

Json* member(Json& object, std::string_view key) { return const_cast<Json*>(find(object, key)); }

// Renames in place, so that the order stays; not where the new name is there.
bool rename(Json& object, std::string_view from, std::string_view to) {
  if (!object.is_object() || find(object, to) != nullptr || find(object, from) == nullptr) return false;
  Members renamed;
  for (auto& [key, value] : members_of(object)) renamed.emplace_back(key == from ? std::string(to) : key, std::move(value));
  members_of(object).swap(renamed);
  return true;
}

// Version 0: `nodes` and `edges`, values under `input`, ports named by what they are on their side.
bool from_version_0(Json& document, Origins& origins) {
  bool changed = rename(document, "nodes", "tasks");
  if (changed) origins.tasks = "nodes";
  if (rename(document, "edges", "dataflows")) origins.dataflows = "edges", changed = true;
  Json* tasks = member(document, "tasks");
  for (std::size_t i = 0; list_of(tasks) != nullptr && i < tasks->size(); i++) {
    Json& task = (*tasks)[i];
    if (object_of(find(task, "input")) != nullptr) changed = rename(task, "input", "defaults") || changed;
    Origins inside;
    if (rename(task, "subGraph", "subgraph")) origins.subgraph = "subGraph", changed = true;
    Json* inner = member(task, "subgraph");
    if (inner == nullptr || !inner->is_object() || !from_version_0(*inner, inside)) continue;
    changed = true;
    origins.inner.push_back({static_cast<std::uint32_t>(i), std::move(inside)});
  }
  Json* flows = member(document, "dataflows");
  for (std::size_t i = 0; list_of(flows) != nullptr && i < flows->size(); i++) {
    changed = rename((*flows)[i], "sourceTaskOutputId", "sourceTaskPortId") || changed;
    changed = rename((*flows)[i], "targetTaskInputId", "targetTaskPortId") || changed;
  }
  if (changed) origins.form = Origins::Form::Version0;
  if (Json* version = member(document, "version"); changed && version != nullptr) *version = kDocumentVersion;
  return changed;
}

void take_dependency(const Json& dependency, const std::string& target, const std::string& port, Json& dataflows) {
  Json flow = Json::object();
  const auto take = [&](const char* name, const char* from) {
    const Json* value = find(dependency, from);
    flow.push_back({name, value == nullptr ? Json(nullptr) : *value});
  };
  take("sourceTaskId", "id");
  take("sourceTaskPortId", "output");
  flow.push_back({"targetTaskId", target});
  flow.push_back({"targetTaskPortId", port});
  if (const auto* all = object_of(&dependency)) {
    for (const auto& [key, value] : *all) {
      if (key != "id" && key != "output") flow.push_back({key, value});
    }
  }
  dataflows.push_back(std::move(flow));
}

Json from_dependencies(Json& list, const std::string& base, Issues& issues, Origins& origins) {
  origins.form = Origins::Form::Dependencies;
  origins.subgraph = "subtasks";
  Json tasks = Json::array(), dataflows = Json::array();
  for (Json& item : list.get_ref<Json::array_t&>()) {
    const auto index = static_cast<std::uint32_t>(tasks.size());
    if (!item.is_object()) {
      tasks.push_back(std::move(item));
      continue;
    }
    const std::string* id = text_of(find(item, "id"));
    const std::string target = id == nullptr ? "" : *id;
    Json task = Json::object();
    for (auto& [key, value] : members_of(item)) {
      const auto place = [&, name = std::string_view(key)] { return pointer(pointer(base, index), name); };
      if (key == "dependencies" && value.is_object()) {
        for (const auto& [port, given] : members_of(value)) {
          const bool several = given.is_array();
          for (std::size_t i = 0; i < (several ? given.size() : 1); i++) {
            take_dependency(several ? given[i] : given, target, port, dataflows);
            origins.flows.push_back({index, several ? static_cast<std::int32_t>(i) : -1});
          }
        }
      } else if (key == "subtasks" && value.is_array()) {
        origins.inner.push_back({index, {}});
        members_of(task).emplace_back("subgraph", from_dependencies(value, place(), issues, origins.inner.back().origins));
      } else if (key == "subgraph" && find(item, "subtasks") != nullptr) {
        continue;  // that is its graph, in this form
      } else if (key == "dependencies" || key == "subtasks") {
        issues.error("wrong-type", place(), "`" + key + "` has to be " + (key == "subtasks" ? "a list of tasks" : "an object of ports, each with `{ id, output }` or a list of them") + ".");
      } else {
        members_of(task).emplace_back(key, std::move(value));
      }
    }
    tasks.push_back(std::move(task));
  }
  Json document = Json::object();
  document.push_back({"tasks", std::move(tasks)});
  document.push_back({"dataflows", std::move(dataflows)});
  return document;
}

void add_dependency(Json& dependencies, const std::string& port, Json given) {
  Json* known = member(dependencies, port);
  if (known == nullptr) members_of(dependencies).emplace_back(port, std::move(given));
  else if (known->is_array()) known->push_back(std::move(given));
  else *known = Json::array({std::move(*known), std::move(given)});
}

}  // namespace

const Origins* Origins::of(std::uint32_t task) const {
  const auto found = std::lower_bound(inner.begin(), inner.end(), task, [](const Inner& one, std::uint32_t wanted) { return one.task < wanted; });
  return found == inner.end() || found->task != task ? nullptr : &found->origins;
}

bool modernize(Json& document, Issues& issues, Origins& origins) {
  if (document.is_array()) {
    document = from_dependencies(document, "", issues, origins);
    return true;
  }
  const Json* version = find(document, "version");
  if (version == nullptr) return document.is_object() && from_version_0(document, origins);
  const bool whole = version->is_number_unsigned();
  if (!whole || version->get<std::uint64_t>() > kDocumentVersion) {
    issues.error("unsupported-version", "/version", "Version " + in_quotes(version->dump(-1, ' ', false, Json::error_handler_t::replace)) + " is not known; this library reads up to " + std::to_string(kDocumentVersion) + ". Update holdfast.");
    return false;
  }
  return version->get<std::uint64_t>() == 0 && from_version_0(document, origins);
}

Json to_dependencies(const Json& document) {
  Json list = Json::array();
  std::unordered_map<std::string_view, std::size_t> places;
  const auto* tasks = list_of(find(document, "tasks"));
  for (std::size_t i = 0; tasks != nullptr && i < tasks->size(); i++) {
    Json item = Json::object();
    for (const auto& [key, value] : *object_of(&(*tasks)[i])) {
      if (key == "subgraph" && value.is_object()) members_of(item).emplace_back("subtasks", to_dependencies(value));
      // What the other form calls its own has no place there.
      else if (key != "dependencies" && key != "subtasks") members_of(item).emplace_back(key, value);
    }
    if (const std::string* id = text_of(find((*tasks)[i], "id"))) places.emplace(*id, i);
    list.push_back(std::move(item));
  }
  const auto* flows = list_of(find(document, "dataflows"));
  for (std::size_t i = 0; flows != nullptr && i < flows->size(); i++) {
    const Json& flow = (*flows)[i];
    const std::string *target = text_of(find(flow, "targetTaskId")), *port = text_of(find(flow, "targetTaskPortId"));
    const auto found = target == nullptr || port == nullptr ? places.end() : places.find(*target);
    if (found == places.end()) continue;
    Json given = Json::object();
    for (const auto& [key, value] : *object_of(&flow)) {
      if (key == "sourceTaskId") given.push_back({"id", value});
      else if (key == "sourceTaskPortId") given.push_back({"output", value});
      else if (key != "targetTaskId" && key != "targetTaskPortId" && key != "id" && key != "output") given.push_back({key, value});
    }
    Json& item = list[found->second];
    if (find(item, "dependencies") == nullptr) members_of(item).emplace_back("dependencies", Json::object());
    add_dependency(*member(item, "dependencies"), *port, std::move(given));
  }
  return list;
}

}  // namespace holdfast::json
