// Any text as a graph document, and as a catalogue: the checks end, and what is planned is an order of its tasks.
#include "json/documents.h"

#include <string_view>
#include <vector>

#include "json/catalogue.h"
#include "json/check.h"
#include "json/forms.h"

using namespace holdfast::json;

namespace {

constexpr std::string_view kCatalogue = R"({"types":{"A":{},"B":{"inputs":{"properties":{"x":{"type":"string"}},"required":["x"]},
  "outputs":{"anyOf":[{"properties":{"y":{"type":"array","items":{"format":"a:b"}}}},true]}}},"limits":{"maxBytes":65536,"maxNesting":4},"lint":true})";

void require(bool condition) {
  if (!condition) __builtin_trap();
}

void look_at(const Json& document, const Plan& plan) {
  const std::size_t tasks = find(document, "tasks")->size();
  require(plan.order.size() == tasks && plan.heights.size() == tasks && plan.incoming.size() == tasks);
  std::vector<std::uint32_t> place(tasks, 0xffffffff);
  for (std::uint32_t i = 0; i < tasks; i++) place[plan.order[i]] = i;
  for (const Plan::Pair& pair : plan.pairs) {
    require(place[pair.source] < place[pair.target]);
    require(plan.heights[pair.source] > plan.heights[pair.target]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Documents documents;
  documents.set_catalogue(text.substr(0, text.find('\n')));
  if (const std::size_t line = text.find('\n'); line != text.npos) documents.check(text.substr(line + 1));
  documents.set_catalogue(kCatalogue);
  documents.compile(text);
  documents.draw(text, "mermaid");
  documents.draw(text, "dot");
  documents.draw(text, "layout", text);
  documents.upgrade(text);
  documents.compare(text);
  documents.to_dependencies(text);
  Catalogue catalogue;
  Issues issues;
  catalogue.take(kCatalogue, issues);
  Json document = read(text, catalogue.read, issues);
  if (document.is_discarded()) return 0;
  Origins origins, others;
  modernize(document, issues, origins);
  const Plan plan = check(document, origins, catalogue, issues);
  if (issues.failed()) return 0;
  look_at(document, plan);
  Json again = to_dependencies(document);
  modernize(again, issues, others);
  const Json* flows = find(document, "dataflows");
  require(find(again, "tasks")->size() == find(document, "tasks")->size() && find(again, "dataflows")->size() == (flows == nullptr ? 0 : flows->size()));
  return 0;
}
