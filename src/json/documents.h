// The door's side of graph documents: text in, text out. What comes back is JSON:
//
//     { issues: [{ code, pointer, message, severity }], leftOut?, plan?, document? }
//
// `plan` where no issue is an error; `document` where it was brought into the form of this version.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace holdfast::json {

struct Catalogue;

class Documents {
 public:
  Documents();
  ~Documents();
  // Takes the place of the one before; what can't be read leaves it, and is told as issues.
  std::string set_catalogue(std::string_view text);
  // Issues alone.
  std::string check(std::string_view text) const;
  std::string compile(std::string_view text) const;
  // `{ issues, document? }`: brought into the graph form of this version, where it was not.
  std::string upgrade(std::string_view text) const;
  // `{ issues, document? }`: in the dependency form.
  std::string to_dependencies(std::string_view text) const;
  // `{ issues, text? }`: drawn as `mermaid` or `dot`. `{ issues, places? }`: as `layout`, see layout.h.
  std::string draw(std::string_view text, std::string_view language, std::string_view options = "{}") const;
  // `{ issues, verdicts? }`: how ports fit, of a list of `[output, port, input, port]`: `static`, `runtime`, `incompatible`.
  std::string compare(std::string_view text) const;

 private:
  struct Read;

  std::unique_ptr<Catalogue> catalogue_;
};

}  // namespace holdfast::json
