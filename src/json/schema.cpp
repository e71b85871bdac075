#include "schema.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace holdfast::json {

namespace {

using enum Compatibility;
using Found = std::vector<Compatibility>;

constexpr int kDeepest = 64, kDeepestSame = 200;
constexpr std::string_view kAllTypes[] = {"null", "boolean", "number", "string", "array", "object"};
constexpr std::string_view kWords[] = {
    "type", "format", "$id", "$ref", "const", "enum", "properties", "required", "additionalProperties", "items", "allOf", "anyOf", "oneOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "prefixItems", "contains", "not", "if", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"};
constexpr std::string_view kLower[] = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"};
constexpr std::string_view kUpper[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"};
constexpr std::string_view kExact[] = {"$ref", "multipleOf", "pattern", "uniqueItems", "prefixItems", "contains", "not", "if", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"};

const Json kAnything(true);
const Json kError = {{"type", "object"}, {"properties", {{"error", true}, {"errorType", {{"type", "string"}}}}}, {"required", {"error", "errorType"}}};

bool has(const Found& found, Compatibility one) { return std::find(found.begin(), found.end(), one) != found.end(); }
Compatibility worst(const Found& found) { return has(found, Incompatible) ? Incompatible : has(found, Runtime) ? Runtime : Static; }
Compatibility best(const Found& found) { return has(found, Static) ? Static : has(found, Runtime) ? Runtime : Incompatible; }
// Any of them may come: what fits only sometimes is looked at each time.
Compatibility each(const Found& found) {
  const auto all = [&](Compatibility wanted) { return std::all_of(found.begin(), found.end(), [&](Compatibility one) { return one == wanted; }); };
  return all(Static) ? Static : all(Incompatible) ? Incompatible : Runtime;
}

bool is_boolean(const Json& schema, bool value) { return schema.is_boolean() && schema.get<bool>() == value; }

bool same(const Json& one, const Json& other, int depth = 0) {
  if (one.is_number() && other.is_number()) return one == other;
  if (one.type() != other.type()) return false;
  if (!one.is_structured()) return one == other;
  if (depth > kDeepestSame || one.size() != other.size()) return false;
  if (one.is_array()) {
    for (std::size_t i = 0; i < one.size(); i++) {
      if (!same(one[i], other[i], depth + 1)) return false;
    }
    return true;
  }
  for (const auto& [key, member] : *object_of(&one)) {
    const Json* twin = find(other, key);
    if (twin == nullptr || !same(member, *twin, depth + 1)) return false;
  }
  return true;
}

bool is_constrained(const Json& schema) {
  if (!schema.is_object()) return false;
  return std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) { return find(schema, word) != nullptr; });
}

const Json* properties_of(const Json& schema) {
  const Json* found = find(schema, "properties");
  return found != nullptr && found->is_object() ? found : nullptr;
}
const Json* property_of(const Json& schema, std::string_view name) { return find(properties_of(schema), name); }
bool lists_properties(const Json& schema) {
  const Json* found = properties_of(schema);
  return found != nullptr && !found->empty();
}
bool requires_port(const Json& schema, std::string_view name) {
  const auto* required = list_of(find(schema, "required"));
  return required != nullptr && std::any_of(required->begin(), required->end(), [&](const Json& one) { return one == name; });
}

// Without these words.
Json without(const Json& schema, std::initializer_list<std::string_view> left) {
  Json rest = Json::object();
  auto& members = static_cast<Json::object_t::Container&>(rest.get_ref<Json::object_t&>());
  for (const auto& [word, member] : *object_of(&schema)) {
    if (std::find(left.begin(), left.end(), word) == left.end()) members.emplace_back(word, member);
  }
  return rest;
}

// One question.
class Walk {
 public:
  explicit Walk(Allowance& allowance) : left_(allowance.question), document_(allowance.document) {}

  Compatibility compare(const Json& source, const Json& target) {
    if (is_boolean(source, false) || is_boolean(target, false)) return Incompatible;
    if (is_boolean(target, true) || !is_constrained(target)) return Static;
    if (spent()) return Runtime;
    if (same(source, target)) return Static;
    if (is_boolean(source, true) || !is_constrained(source) || depth_ > kDeepest) return Runtime;
    depth_++;
    Compatibility found;
    if (!combined(source, target, found)) found = single(source, target);
    depth_--;
    return found;
  }

 private:
  bool spent() { return left_-- <= 0 || document_-- <= 0; }

  const Json::array_t* parts(const Json& schema, std::string_view word) { return list_of(find(schema, word)); }

  // The parts of anyOf or oneOf, each with what stands beside it.
  bool union_of(const Json& schema, std::vector<Json>& into) {
    const std::string_view word = parts(schema, "anyOf") != nullptr ? "anyOf" : "oneOf";
    const auto* listed = parts(schema, word);
    if (listed == nullptr) return false;
    const Json beside = without(schema, {word, "title", "description", "default"});
    const bool more = is_constrained(beside);
    for (const Json& part : *listed) into.push_back(more ? Json{{"allOf", Json::array({part, beside})}} : part);
    return true;
  }

  // Of schemas that are made of others; false for those that are not.
  bool combined(const Json& source, const Json& target, Compatibility& result) {
    Found found;
    if (std::vector<Json> united; union_of(source, united)) {
      for (const Json& part : united) found.push_back(compare(part, target));
      return result = each(found), true;
    }
    if (const auto* all = parts(target, "allOf")) {
      for (const Json& part : *all) found.push_back(compare(source, part));
      found.push_back(compare(source, without(target, {"allOf"})));
      return result = worst(found), true;
    }
    if (std::vector<Json> united; union_of(target, united)) {
      for (const Json& part : united) found.push_back(compare(source, part));
      return result = best(found), true;
    }
    const auto* all = parts(source, "allOf");
    if (all == nullptr) return false;
    for (const Json& part : *all) {
      if (is_constrained(part)) found.push_back(compare(part, target));
    }
    const Json beside = without(source, {"allOf"});
    if (is_constrained(beside)) found.push_back(compare(beside, target));
    return result = has(found, Incompatible) ? Incompatible : best(found), true;
  }

  Compatibility single(const Json& source, const Json& target) {
    const Compatibility by_type = types(source, target);
    if (by_type == Incompatible) return Incompatible;
    for (const std::string_view word : {"$id", "format"}) {
      const std::string *mine = text_of(find(source, word)), *theirs = text_of(find(target, word));
      if (mine != nullptr && theirs != nullptr && *mine == *theirs) return Static;
    }
    const Compatibility by_format = formats(text_of(find(source, "format")), text_of(find(target, "format")));
    if (by_format == Incompatible) return Incompatible;
    return worst({by_type, by_format, values(source, target), objects(source, target), lists(source, target), bounds(source, target)});
  }

  // `name` or `name:narrower`.
  static Compatibility formats(const std::string* source, const std::string* target) {
    if (target == nullptr) return Static;
    if (source == nullptr) return Runtime;
    const auto name = [](const std::string& format) { return std::string_view(format).substr(0, format.find(':')); };
    if (name(*source) != name(*target)) return Incompatible;
    if (target->find(':') == std::string::npos) return Static;
    return source->find(':') == std::string::npos ? Runtime : Incompatible;
  }

  static std::vector<const Json*> values_of(const Json& schema, bool& any) {
    std::vector<const Json*> values;
    any = true;
    if (const Json* one = find(schema, "const")) return {one};
    const auto* listed = list_of(find(schema, "enum"));
    any = listed != nullptr;
    if (any) {
      for (const Json& one : *listed) values.push_back(&one);
    }
    return values;
  }

  static std::string_view type_of(const Json& value) {
    if (value.is_null()) return "null";
    if (value.is_array()) return "array";
    if (value.is_object()) return "object";
    if (value.is_boolean()) return "boolean";
    if (value.is_string()) return "string";
    const double number = value.get<double>();
    return std::floor(number) == number ? "integer" : "number";
  }

  static std::vector<std::string_view> types_of(const Json& schema) {
    const Json* type = find(schema, "type");
    std::vector<std::string_view> found;
    if (const std::string* one = text_of(type)) return {*one};
    if (const auto* listed = list_of(type)) {
      for (const Json& one : *listed) {
        if (one.is_string()) found.push_back(*text_of(&one));
      }
      return found;
    }
    bool any = false;
    const auto values = values_of(schema, any);
    if (!any) return {std::begin(kAllTypes), std::end(kAllTypes)};
    for (const Json* value : values) found.push_back(type_of(*value));
    return found;
  }

  static bool is_among(const std::vector<std::string_view>& types, std::string_view type) { return std::find(types.begin(), types.end(), type) != types.end(); }

  static Compatibility types(const Json& source, const Json& target) {
    const auto wanted = types_of(target);
    Found found;
    for (const std::string_view type : types_of(source)) {
      const bool fits = is_among(wanted, type) || (type == "integer" && is_among(wanted, "number"));
      found.push_back(fits ? Static : type == "number" && is_among(wanted, "integer") ? Runtime : Incompatible);
    }
    return each(found);
  }

  static Compatibility values(const Json& source, const Json& target) {
    bool asks = false, says = false;
    const auto wanted = values_of(target, asks), given = values_of(source, says);
    if (!asks) return Static;
    if (!says) return Runtime;
    Found found;
    for (const Json* value : given) {
      found.push_back(std::any_of(wanted.begin(), wanted.end(), [&](const Json* one) { return same(*one, *value); }) ? Static : Incompatible);
    }
    return each(found);
  }

  Compatibility objects(const Json& source, const Json& target) {
    const Json* more = find(target, "additionalProperties");
    const auto* required = list_of(find(target, "required"));
    const bool narrow = more != nullptr && (more->is_object() || is_boolean(*more, false));
    const bool asks = lists_properties(target) || (required != nullptr && !required->empty()) || narrow;
    if (!asks || !is_among(types_of(source), "object")) return Static;
    Found found;
    for (std::size_t i = 0; required != nullptr && i < required->size(); i++) {
      if (const std::string* name = text_of(&(*required)[i])) found.push_back(required_from(source, *name));
    }
    if (const Json* own = properties_of(source)) {
      for (const auto& [name, schema] : *object_of(own)) {
        const Json* wanted = property_of(target, name);
        if (wanted == nullptr) wanted = narrow ? more : &kAnything;
        found.push_back(compare(schema, *wanted));
      }
    }
    // A source that may bring more than it lists may bring what does not fit.
    const Json* open = find(source, "additionalProperties");
    if (open == nullptr || !is_boolean(*open, false)) found.push_back(open_into(source, target));
    return worst(found);
  }

  // A list of properties without a word about others is meant as whole.
  static Compatibility required_from(const Json& source, std::string_view name) {
    if (property_of(source, name) != nullptr) return requires_port(source, name) ? Static : Runtime;
    const Json* more = find(source, "additionalProperties");
    if (more != nullptr) return is_boolean(*more, false) ? Incompatible : Runtime;
    return lists_properties(source) ? Incompatible : Runtime;
  }

  Compatibility open_into(const Json& source, const Json& target) {
    const Json* open = find(source, "additionalProperties");
    if (lists_properties(source) && open == nullptr) return Static;
    const Json& more = open != nullptr && open->is_object() ? *open : kAnything;
    // Nothing more has to come, so what would not fit is no reason to refuse.
    if (const Json* asked = properties_of(target)) {
      for (const auto& [name, schema] : *object_of(asked)) {
        if (property_of(source, name) == nullptr && compare(more, schema) != Static) return Runtime;
      }
    }
    const Json* rest = find(target, "additionalProperties");
    return compare(more, rest == nullptr ? kAnything : *rest) == Static ? Static : Runtime;
  }

  Compatibility lists(const Json& source, const Json& target) {
    const Json *items = find(target, "items"), *own = find(source, "items");
    if (items == nullptr || !is_among(types_of(source), "array")) return Static;
    if (items->is_array() || (own != nullptr && own->is_array())) return own != nullptr && same(*own, *items) ? Static : Runtime;
    // The empty list fits everywhere, but an edge that can carry nothing else is a mistake.
    return compare(own == nullptr ? kAnything : *own, *items);
  }

  // What is asked beyond types, and not promised by the source, is looked at in each value.
  static Compatibility bounds(const Json& source, const Json& target) {
    const auto kept = [&](const auto& words, auto&& test) {
      return std::all_of(std::begin(words), std::end(words), [&](std::string_view word) {
        const Json *wanted = find(target, word), *given = find(source, word);
        return wanted == nullptr || (given != nullptr && test(*given, *wanted));
      });
    };
    const auto number = [](const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); };
    const bool all = kept(kLower, [&](const Json& given, const Json& wanted) { return number(given) >= number(wanted); }) &&
                     kept(kUpper, [&](const Json& given, const Json& wanted) { return number(given) <= number(wanted); }) &&
                     kept(kExact, [](const Json& given, const Json& wanted) { return same(given, wanted); });
    return all ? Static : Runtime;
  }

  int left_;
  long long& document_;
  int depth_ = 0;
};

// What else is required may come by other edges, and what has no port there is left out.
Json without_required(const Json& schema) {
  if (!schema.is_object()) return schema;
  const Json* more = find(schema, "additionalProperties");
  return more != nullptr && is_boolean(*more, false) ? without(schema, {"required", "additionalProperties"}) : without(schema, {"required"});
}

}  // namespace

Compatibility compatible(const Json* source, const Json* target, Allowance& allowance) {
  if (source == nullptr || target == nullptr) return Incompatible;
  return Walk(allowance).compare(*source, *target);
}

const Json* port_of(const Json& schema, std::string_view port) {
  if (schema.is_boolean()) return schema.get<bool>() ? &schema : nullptr;
  if (const Json* property = property_of(schema, port)) return property;
  const Json* more = find(schema, "additionalProperties");
  return more != nullptr && (more->is_object() || is_true(more)) ? more : nullptr;
}

bool takes_several(const Json* port) {
  if (port == nullptr) return false;
  const Json* type = find(port, "type");
  if (type == nullptr) return !is_constrained(*port);
  const auto* types = list_of(type);
  return types != nullptr ? std::find(types->begin(), types->end(), "array") != types->end() : *type == "array";
}

Compatibility ports_compatible(const Json& output, std::string_view source_port, const Json& input, std::string_view target_port, Allowance& allowance) {
  const Json* source = source_port == kErrorPort ? &kError : source_port == kAllPorts ? &output : port_of(output, source_port);
  if (target_port == kAllPorts) {
    const Json rest = without_required(input);
    return compatible(source, &rest, allowance);
  }
  const Json* target = port_of(input, target_port);
  const Compatibility whole = compatible(source, target, allowance);
  const Json* type = find(target, "type");
  if (whole == Static || type == nullptr || *type != "array") return whole;
  const Json* items = find(target, "items");
  if (items != nullptr && items->is_array()) return whole;
  const Json* own = find(source, "type");
  const bool is_list = own != nullptr && *own == "array";
  const Compatibility one = is_list ? Incompatible : compatible(source, items == nullptr ? &kAnything : items, allowance);
  return best({whole, one});
}

}  // namespace holdfast::json
