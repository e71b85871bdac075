#include "documents.h"

#include "catalogue.h"
#include "check.h"
#include "draw.h"
#include "forms.h"

namespace holdfast::json {

namespace {

std::string text_from(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <class List, class Write>
void write_list(std::string& out, const List& list, Write write) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ',';
    first = false;
    write(item);
  }
  out += ']';
}

void write_numbers(std::string& out, const std::vector<std::uint32_t>& list) {
  write_list(out, list, [&](std::uint32_t number) { out += std::to_string(number); });
}

void write_issues(std::string& out, const Issues& issues) {
  out += "{\"issues\":";
  write_list(out, issues.list(), [&](const Issue& issue) {
    Json item = Json::object();
    item.push_back({"code", issue.code});
    item.push_back({"pointer", issue.pointer});
    item.push_back({"message", issue.message});
    item.push_back({"severity", issue.severity == Severity::Error ? "error" : "warning"});
    out += text_from(item);
  });
  if (issues.left_out() > 0) out += ",\"leftOut\":" + std::to_string(issues.left_out());
}

void write_plan(std::string& out, const Plan& plan) {
  out += "{\"order\":";
  write_numbers(out, plan.order);
  out += ",\"heights\":";
  write_numbers(out, plan.heights);
  out += ",\"pairs\":";
  write_list(out, plan.pairs, [&](const Plan::Pair& pair) {
    out += "{\"source\":" + std::to_string(pair.source) + ",\"target\":" + std::to_string(pair.target) + ",\"data\":";
    write_numbers(out, pair.data);
    out += ",\"errors\":";
    write_numbers(out, pair.errors);
    out += '}';
  });
  out += ",\"incoming\":";
  write_list(out, plan.incoming, [&](const std::vector<std::uint32_t>& flows) { write_numbers(out, flows); });
  out += ",\"subgraphs\":[";
  for (std::size_t i = 0; i < plan.subgraphs.size(); i++) {
    out += (i > 0 ? ",{\"task\":" : "{\"task\":") + std::to_string(plan.containers[i]) + ",\"plan\":";
    write_plan(out, plan.subgraphs[i]);
    out += '}';
  }
  out += "]}";
}

}  // namespace

Documents::Documents() : catalogue_(std::make_unique<Catalogue>()) {}
Documents::~Documents() = default;

std::string Documents::set_catalogue(std::string_view text) {
  auto next = std::make_unique<Catalogue>();
  Issues issues;
  if (next->take(text, issues)) catalogue_ = std::move(next);
  else if (!issues.failed()) issues.error("wrong-type", "", "A catalogue is an object with `types`.");
  std::string out;
  write_issues(out, issues);
  return out + '}';
}

std::string Documents::answer(std::string_view text, bool plans) const {
  Issues issues;
  Json document = read(text, catalogue_->read, issues);
  bool changed = false;
  Plan plan;
  if (!document.is_discarded()) {
    changed = modernize(document, issues);
    plan = json::check(document, *catalogue_, issues);
  }
  std::string out;
  write_issues(out, issues);
  if (plans && !issues.failed()) {
    out += ",\"plan\":";
    write_plan(out, plan);
    if (changed) out += ",\"document\":" + text_from(document);
  }
  return out + '}';
}

std::string Documents::to_dependencies(std::string_view text) const {
  Issues issues;
  Json document = read(text, catalogue_->read, issues);
  if (!document.is_discarded()) {
    modernize(document, issues);
    json::check(document, *catalogue_, issues);
  }
  std::string out;
  write_issues(out, issues);
  if (!issues.failed()) out += ",\"document\":" + text_from(json::to_dependencies(document));
  return out + '}';
}

std::string Documents::draw(std::string_view text, std::string_view language) const {
  Issues issues;
  Json document = read(text, catalogue_->read, issues);
  if (!document.is_discarded()) modernize(document, issues);
  Plan plan;
  if (!document.is_discarded()) plan = json::check(document, *catalogue_, issues);
  std::string out;
  write_issues(out, issues);
  // A type that is not known here, or ports that do not fit, can be drawn all the same.
  if (is_drawable(document, issues)) out += ",\"text\":" + text_from(Json(json::draw(document, plan, language)));
  return out + '}';
}

}  // namespace holdfast::json
