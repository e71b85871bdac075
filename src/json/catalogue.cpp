#include "catalogue.h"

namespace holdfast::json {

namespace {

const Json kAnyPorts(true);

const Json* schema_of(const Json& type, std::string_view word) {
  const Json* found = find(type, word);
  return found != nullptr && (found->is_object() || found->is_boolean()) ? found : &kAnyPorts;
}

bool take_names(const Json* names, std::unordered_set<std::string_view>& into) {
  const auto* list = list_of(names);
  for (std::size_t i = 0; list != nullptr && i < list->size(); i++) {
    if (const std::string* name = text_of(&(*list)[i])) into.insert(*name);
  }
  return list != nullptr;
}

void take_limit(const Json& limits, std::string_view word, std::size_t& limit) {
  const Json* found = find(limits, word);
  if (found != nullptr && found->is_number_unsigned()) limit = found->get<std::size_t>();
}

}  // namespace

bool Catalogue::take(std::string_view text, Issues& issues) {
  source = json::read(text, {.bytes = 64u << 20, .depth = 512, .values = 10'000'000}, issues);
  if (!source.is_object()) return false;
  if (const auto* known = object_of(find(source, "types"))) {
    checks_types = true;
    for (const auto& [name, type] : *known) types.emplace(name, TaskType{schema_of(type, "inputs"), schema_of(type, "outputs"), is_true(find(type, "dynamic")), is_true(find(type, "isGraphOutput"))});
  }
  checks_merges = take_names(find(source, "merges"), merges);
  checks_transforms = take_names(find(source, "transforms"), transforms);
  strict = is_true(find(source, "strict"));
  lint = is_true(find(source, "lint"));
  if (const Json* limits = find(source, "limits")) {
    take_limit(*limits, "maxBytes", read.bytes);
    take_limit(*limits, "maxDepth", read.depth);
    take_limit(*limits, "maxValues", read.values);
    take_limit(*limits, "maxTasks", tasks);
    take_limit(*limits, "maxDataflows", dataflows);
    take_limit(*limits, "maxNesting", nesting);
  }
  // Whoever nests deeper would need more stack than there is.
  read.depth = std::min<std::size_t>(read.depth, 512);
  nesting = std::min<std::size_t>(nesting, 64);
  return !issues.failed();
}

}  // namespace holdfast::json
