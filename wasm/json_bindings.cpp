// The cold door: JSON documents, text in and text out. A module of its own, loaded with the first document;
// js/graph/document.ts is the only caller, src/json/documents.h says what each call means.
#include <emscripten/bind.h>

#include "json/documents.h"

namespace {

using holdfast::json::Documents;

std::string set_catalogue(Documents& documents, const std::string& text) { return documents.set_catalogue(text); }
std::string check(const Documents& documents, const std::string& text) { return documents.check(text); }
std::string compile(const Documents& documents, const std::string& text) { return documents.compile(text); }
std::string to_dependencies(const Documents& documents, const std::string& text) { return documents.to_dependencies(text); }
std::string draw(const Documents& documents, const std::string& text, const std::string& language) { return documents.draw(text, language); }

}  // namespace

// What the standard library does where it would throw: end, without a text. The usual one brings printf.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD

EMSCRIPTEN_BINDINGS(holdfast_json) {
  emscripten::class_<Documents>("Documents")
      .constructor<>()
      .function("setCatalogue(catalogue)", &set_catalogue)
      .function("check(text)", &check)
      .function("compile(text)", &compile)
      .function("toDependencies(text)", &to_dependencies)
      .function("draw(text, language)", &draw);
}
