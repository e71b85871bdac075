// JSON values as this room uses them: keys keep their order, and looking never makes or throws anything.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace holdfast::json {

using Json = nlohmann::ordered_json;

// The member, or nullptr: also where `value` is no object.
inline const Json* find(const Json* value, std::string_view key) {
  if (value == nullptr || !value->is_object()) return nullptr;
  for (const auto& [name, member] : value->get_ref<const Json::object_t&>()) {
    if (name == key) return &member;
  }
  return nullptr;
}
inline const Json* find(const Json& value, std::string_view key) { return find(&value, key); }

inline const std::string* text_of(const Json* value) {
  return value != nullptr && value->is_string() ? value->get_ptr<const std::string*>() : nullptr;
}
inline const Json::array_t* list_of(const Json* value) {
  return value != nullptr && value->is_array() ? value->get_ptr<const Json::array_t*>() : nullptr;
}
inline const Json::object_t* object_of(const Json* value) {
  return value != nullptr && value->is_object() ? value->get_ptr<const Json::object_t*>() : nullptr;
}
inline bool is_true(const Json* value) { return value != nullptr && value->is_boolean() && value->get<bool>(); }

}  // namespace holdfast::json
