// What is wrong with a document: all of it, each with the place as a JSON pointer (RFC 6901).
//
// Invariant: at most `most` are kept, and then one more says so; so a hostile document can't make the answer long.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::json {

enum class Severity : std::uint8_t { Error, Warning };

struct Issue {
  std::string code;
  std::string pointer;
  std::string message;
  Severity severity;
};

class Issues {
 public:
  void error(std::string code, std::string pointer, std::string message) { add({std::move(code), std::move(pointer), std::move(message), Severity::Error}); }
  void warn(std::string code, std::string pointer, std::string message) { add({std::move(code), std::move(pointer), std::move(message), Severity::Warning}); }
  void add(Issue issue) {
    failed_ = failed_ || issue.severity == Severity::Error;
    if (list_.size() < most) list_.push_back(std::move(issue));
    else left_out_++;
  }
  bool failed() const { return failed_; }
  const std::vector<Issue>& list() const { return list_; }
  std::size_t left_out() const { return left_out_; }

  static constexpr std::size_t most = 1000;

 private:
  std::vector<Issue> list_;
  std::size_t left_out_ = 0;
  bool failed_ = false;
};

// `/a~1b/0`: a key or an index more.
inline std::string pointer(std::string_view base, std::string_view key) {
  std::string result(base);
  result += '/';
  for (const char letter : key) {
    if (letter == '~') result += "~0";
    else if (letter == '/') result += "~1";
    else result += letter;
  }
  return result;
}
inline std::string pointer(std::string_view base, std::size_t index) { return pointer(base, std::to_string(index)); }

// For messages: in quotes, and not longer than people read.
inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 80;
  if (text.size() <= longest) return '"' + std::string(text) + '"';
  std::size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
  return '"' + std::string(text.substr(0, end)) + "…\"";
}

}  // namespace holdfast::json
