#include "reader.h"

#include <algorithm>

namespace holdfast::json {

namespace {

// Hears of values as the parser meets them and builds the document; false ends the parsing.
class Builder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  Builder(const ReadLimits& limits, Issues& issues) : limits_(limits), issues_(issues) {}

  bool null() { return put(nullptr) != nullptr; }
  bool boolean(bool value) { return put(value) != nullptr; }
  bool number_integer(number_integer_t value) { return put(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) { return put(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) { return put(value) != nullptr; }
  bool string(string_t& value) { return put(std::move(value)) != nullptr; }
  bool binary(binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::value_t::object); }
  bool start_array(std::size_t) { return open(Json::value_t::array); }
  bool end_object() {
    find_repeated();
    open_.pop_back();
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool key(string_t& name) {
    Open& parent = open_.back();
    parent.key = std::move(name);
    parent.is_named = true;
    const std::string& key = parent.key;
    if (key == "__proto__" || key == "constructor" || key == "prototype") {
      issues_.error("forbidden-key", here(), "The key " + in_quotes(key) + " is not allowed: it has a meaning of its own in JavaScript. Rename it.");
    }
    return true;
  }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception& error) {
    // A number beyond doubles is grammatical, and no number anywhere.
    const bool is_range = error.id == 406;
    issues_.error("invalid-json", here(), (is_range ? "A number is too large" : "Not valid JSON") + std::string(" at byte ") + std::to_string(position) + (is_range ? ": doubles end at 1.8e308." : ": check quotes, commas and the encoding (UTF-8, no lone surrogates)."));
    return false;
  }

  Json take() { return std::move(root_); }

 private:
  struct Open {
    Json::array_t* list = nullptr;
    Json::object_t* members = nullptr;
    std::string key;        // of the member that comes next
    bool is_named = false;  // it is known
  };

  template <class Value>
  Json* put(Value&& value) {
    if (++values_ > limits_.values) {
      issues_.error("too-large", here(), "More than " + std::to_string(limits_.values) + " values: split the document, or raise limits.maxValues.");
      return nullptr;
    }
    if (open_.empty()) {
      root_ = Json(std::forward<Value>(value));
      return &root_;
    }
    Open& parent = open_.back();
    if (parent.list != nullptr) return &parent.list->emplace_back(std::forward<Value>(value));
    // Straight to the end: looking whether the key is there already costs the square of what comes; see find_repeated.
    static_cast<Json::object_t::Container&>(*parent.members).emplace_back(std::move(parent.key), std::forward<Value>(value));
    parent.is_named = false;
    return &parent.members->back().second;
  }

  bool open(Json::value_t type) {
    if (open_.size() >= limits_.depth) {
      issues_.error("too-deep", "", "Nested deeper than " + std::to_string(limits_.depth) + ": flatten the document, or raise limits.maxDepth.");
      return false;
    }
    Json* made = put(type);
    if (made == nullptr) return false;
    Open& open = open_.emplace_back();
    if (type == Json::value_t::array) {
      open.list = &made->get_ref<Json::array_t&>();
    } else {
      open.members = &made->get_ref<Json::object_t&>();
      open.members->reserve(4);
    }
    return true;
  }

  void find_repeated() {
    const Json::object_t& members = *open_.back().members;
    constexpr std::size_t few = 12;
    if (members.size() > few) return find_repeated_among_many(members);
    for (std::size_t i = 1; i < members.size(); i++) {
      std::size_t same = 0;
      for (std::size_t j = 0; j < i; j++) same += members.begin()[j].first == members.begin()[i].first;
      if (same == 1) repeated(members.begin()[i].first);
    }
  }
  void find_repeated_among_many(const Json::object_t& members) {
    names_.clear();
    for (const auto& [name, member] : members) names_.push_back(name);
    std::sort(names_.begin(), names_.end());
    for (std::size_t i = 1; i < names_.size(); i++) {
      if (names_[i] == names_[i - 1] && (i < 2 || names_[i] != names_[i - 2])) repeated(names_[i]);
    }
  }
  void repeated(std::string_view name) {
    open_.back().key = name;
    open_.back().is_named = true;
    issues_.error("duplicate-key", here(), "The key " + in_quotes(name) + " stands there more than once: keep one of them.");
  }

  // Of what comes next, or came last.
  std::string here() const {
    std::string place;
    for (const Open& open : open_) {
      if (open.list != nullptr) place = pointer(place, open.list->size() - (&open != &open_.back() && !open.list->empty()));
      else if (open.is_named || open.members->empty()) place = pointer(place, open.key);
      else place = pointer(place, open.members->back().first);
    }
    return place;
  }

  const ReadLimits& limits_;
  Issues& issues_;
  Json root_ = Json(Json::value_t::discarded);
  std::vector<Open> open_;
  std::vector<std::string_view> names_;
  std::size_t values_ = 0;
};

}  // namespace

Json read(std::string_view text, const ReadLimits& limits, Issues& issues) {
  if (text.size() > limits.bytes) {
    issues.error("too-large", "", std::to_string(text.size()) + " bytes, more than " + std::to_string(limits.bytes) + ": split the document, or raise limits.maxBytes.");
    return Json(Json::value_t::discarded);
  }
  Builder builder(limits, issues);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return Json(Json::value_t::discarded);
  return builder.take();
}

}  // namespace holdfast::json
