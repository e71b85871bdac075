#include "reader.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace holdfast::json {

namespace {

// Takes values as the parser meets them and builds the document; false, or nullptr, ends the parsing.
class Builder {
 public:
  Builder(const ReadLimits& limits, Issues& issues) : limits_(limits), issues_(issues) {}

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
  void close() {
    if (open_.back().members != nullptr) find_repeated();
    open_.pop_back();
  }
  void key(std::string&& name) {
    Open& parent = open_.back();
    parent.key = std::move(name);
    parent.is_named = true;
    const std::string& key = parent.key;
    if (key == "__proto__" || key == "constructor" || key == "prototype") {
      issues_.error("forbidden-key", here(), "The key " + in_quotes(key) + " is not allowed: it has a meaning of its own in JavaScript. Rename it.");
    }
  }
  bool fail(std::size_t position, bool is_range) {
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

// RFC 8259, in UTF-8. Recursion is bounded by the builder, which refuses what is too deep.
class Parser {
 public:
  Parser(std::string_view text, Builder& builder) : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), builder_(builder) {}

  bool run() {
    if (static_cast<std::size_t>(end_ - at_) >= 3 && std::string_view(at_, 3) == "\xef\xbb\xbf") at_ += 3;
    if (!value()) return false;
    skip();
    return at_ == end_ || wrong();
  }

 private:
  bool wrong() { return builder_.fail(static_cast<std::size_t>(at_ - begin_) + 1, false); }
  bool is(char letter) const { return at_ != end_ && *at_ == letter; }
  void skip() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) at_++;
  }
  bool take(char letter) {
    skip();
    if (!is(letter)) return wrong();
    at_++;
    return true;
  }

  bool value() {
    skip();
    if (at_ == end_) return wrong();
    switch (*at_) {
      case '{': return object();
      case '[': return array();
      case '"': {
        std::string text;
        return string(text) && builder_.put(std::move(text)) != nullptr;
      }
      case 't': return word("true") && builder_.put(true) != nullptr;
      case 'f': return word("false") && builder_.put(false) != nullptr;
      case 'n': return word("null") && builder_.put(nullptr) != nullptr;
      default: return number();
    }
  }

  bool word(std::string_view expected) {
    for (const char letter : expected) {
      if (!is(letter)) return wrong();
      at_++;
    }
    return true;
  }

  bool object() {
    if (!builder_.open(Json::value_t::object)) return false;
    at_++;
    skip();
    if (is('}')) return closed();
    for (;;) {
      skip();
      std::string key;
      if (!is('"')) return wrong();
      if (!string(key)) return false;
      builder_.key(std::move(key));
      if (!take(':') || !value()) return false;
      skip();
      if (is('}')) return closed();
      if (!take(',')) return false;
    }
  }

  bool array() {
    if (!builder_.open(Json::value_t::array)) return false;
    at_++;
    skip();
    if (is(']')) return closed();
    for (;;) {
      if (!value()) return false;
      skip();
      if (is(']')) return closed();
      if (!take(',')) return false;
    }
  }

  bool closed() {
    at_++;
    builder_.close();
    return true;
  }

  // Mostly letters alone: they are taken in one piece.
  bool string(std::string& text) {
    const char* start = ++at_;
    for (;;) {
      while (at_ != end_ && is_plain(*at_)) at_++;
      if (at_ == end_) return wrong();
      if (*at_ == '"') {
        if (text.empty()) text.assign(start, at_);
        else text.append(start, at_);
        at_++;
        return true;
      }
      if (*at_ == '\\') {
        text.append(start, at_++);
        if (!escape(text)) return false;
        start = at_;
      } else if (!wide()) {
        return false;
      }
    }
  }
  static bool is_plain(char letter) { return letter != '"' && letter != '\\' && static_cast<unsigned char>(letter) - 0x20u < 0x60u; }

  // One character of several bytes: the shortest form, no surrogates, nothing beyond 0x10ffff.
  bool wide() {
    const auto byte = [&](int ahead) { return end_ - at_ > ahead ? static_cast<unsigned char>(at_[ahead]) : 0u; };
    const auto follows = [&](int ahead) { return (byte(ahead) & 0xc0) == 0x80; };
    const unsigned first = byte(0);
    int length = 0;
    if (first >= 0xc2 && first <= 0xdf) length = 2;
    else if (first >= 0xe0 && first <= 0xef) length = 3;
    else if (first >= 0xf0 && first <= 0xf4) length = 4;
    else return wrong();
    const unsigned second = byte(1);
    const bool fits = !(first == 0xe0 && second < 0xa0) && !(first == 0xed && second > 0x9f) && !(first == 0xf0 && second < 0x90) && !(first == 0xf4 && second > 0x8f);
    for (int i = 1; i < length; i++) {
      if (!follows(i) || !fits) return wrong();
    }
    at_ += length;
    return true;
  }

  bool escape(std::string& text) {
    if (at_ == end_) return wrong();
    switch (const char letter = *at_++) {
      case '"': case '\\': case '/': text += letter; return true;
      case 'b': text += '\b'; return true;
      case 'f': text += '\f'; return true;
      case 'n': text += '\n'; return true;
      case 'r': text += '\r'; return true;
      case 't': text += '\t'; return true;
      case 'u': return code_point(text);
      default: return wrong();
    }
  }

  bool code_point(std::string& text) {
    unsigned code = 0, low = 0;
    if (!unit(code)) return false;
    if (code >= 0xdc00 && code <= 0xdfff) return wrong();
    if (code >= 0xd800 && code <= 0xdbff) {
      if (!word("\\u") || !unit(low)) return false;
      if (low < 0xdc00 || low > 0xdfff) return wrong();
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    const auto add = [&](unsigned bits) { text += static_cast<char>(bits); };
    if (code < 0x80) return add(code), true;
    if (code < 0x800) return add(0xc0 | code >> 6), add(0x80 | (code & 0x3f)), true;
    if (code < 0x10000) add(0xe0 | code >> 12);
    else add(0xf0 | code >> 18), add(0x80 | (code >> 12 & 0x3f));
    return add(0x80 | (code >> 6 & 0x3f)), add(0x80 | (code & 0x3f)), true;
  }

  bool unit(unsigned& code) {
    for (int i = 0; i < 4; i++, at_++) {
      const char letter = at_ == end_ ? '\0' : *at_;
      const int lower = letter | 0x20;
      if (letter >= '0' && letter <= '9') code = code << 4 | static_cast<unsigned>(letter - '0');
      else if (lower >= 'a' && lower <= 'f') code = code << 4 | static_cast<unsigned>(lower - 'a' + 10);
      else return wrong();
    }
    return true;
  }

  bool digits() {
    if (at_ == end_ || *at_ < '0' || *at_ > '9') return wrong();
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') at_++;
    return true;
  }

  bool number() {
    const char* start = at_;
    const bool is_negative = is('-');
    if (is_negative) at_++;
    const char* first = at_;
    if (is('0')) at_++;
    else if (!digits()) return false;
    bool is_whole = true;
    if (is('.')) {
      is_whole = false;
      at_++;
      if (!digits()) return false;
    }
    if (is('e') || is('E')) {
      is_whole = false;
      at_++;
      if (is('+') || is('-')) at_++;
      if (!digits()) return false;
    }
    // 18 digits fit; what is longer, and -0, is what a double makes of it.
    if (is_whole && at_ - first <= 18 && !(is_negative && *first == '0')) {
      std::uint64_t whole = 0;
      for (; first != at_; first++) whole = whole * 10 + static_cast<std::uint64_t>(*first - '0');
      return (is_negative ? builder_.put(-static_cast<std::int64_t>(whole)) : builder_.put(whole)) != nullptr;
    }
    const double value = std::strtod(std::string(start, at_).c_str(), nullptr);
    if (!std::isfinite(value)) return builder_.fail(static_cast<std::size_t>(at_ - begin_), true);
    return builder_.put(value) != nullptr;
  }

  const char *const begin_, *at_, *const end_;
  Builder& builder_;
};

}  // namespace

Json read(std::string_view text, const ReadLimits& limits, Issues& issues) {
  if (text.size() > limits.bytes) {
    issues.error("too-large", "", std::to_string(text.size()) + " bytes, more than " + std::to_string(limits.bytes) + ": split the document, or raise limits.maxBytes.");
    return Json(Json::value_t::discarded);
  }
  Builder builder(limits, issues);
  if (!Parser(text, builder).run()) return Json(Json::value_t::discarded);
  return builder.take();
}

}  // namespace holdfast::json
