#include "documents.h"

#include "catalogue.h"
#include "check.h"
#include "draw.h"
#include "forms.h"
#include "layout.h"
#include "schema.h"

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

// A text, brought into the form of this version and checked.
struct Documents::Read {
  Issues issues;
  Json document;
  bool changed = false;
  Plan plan;

  Read(std::string_view text, const Catalogue& catalogue) : document(json::read(text, catalogue.read, issues)) {
    if (document.is_discarded()) return;
    Origins origins;
    changed = modernize(document, issues, origins);
    plan = json::check(document, origins, catalogue, issues);
  }
};

std::string Documents::check(std::string_view text) const {
  const Read read(text, *catalogue_);
  std::string out;
  write_issues(out, read.issues);
  return out + '}';
}

std::string Documents::compile(std::string_view text) const {
  const Read read(text, *catalogue_);
  std::string out;
  write_issues(out, read.issues);
  if (!read.issues.failed()) {
    out += ",\"plan\":";
    write_plan(out, read.plan);
    if (read.changed) out += ",\"document\":" + text_from(read.document);
  }
  return out + '}';
}

std::string Documents::upgrade(std::string_view text) const {
  const Read read(text, *catalogue_);
  std::string out;
  write_issues(out, read.issues);
  if (!read.issues.failed() && read.changed) out += ",\"document\":" + text_from(read.document);
  return out + '}';
}

std::string Documents::to_dependencies(std::string_view text) const {
  const Read read(text, *catalogue_);
  std::string out;
  write_issues(out, read.issues);
  if (!read.issues.failed()) out += ",\"document\":" + text_from(json::to_dependencies(read.document));
  return out + '}';
}

std::string Documents::draw(std::string_view text, std::string_view language, std::string_view options) const {
  const Read read(text, *catalogue_);
  std::string out;
  write_issues(out, read.issues);
  // A type that is not known here, or ports that do not fit, can be drawn all the same.
  if (!is_drawable(read.document, read.issues)) return out + '}';
  if (language != "layout") return out + ",\"text\":" + text_from(Json(json::draw(read.document, read.plan, language))) + '}';
  Issues none;
  return out + ",\"places\":" + layout(read.document, read.plan, json::read(options, catalogue_->read, none)) + '}';
}

std::string Documents::compare(std::string_view text) const {
  Issues issues;
  const Json pairs = json::read(text, catalogue_->read, issues);
  std::string out;
  write_issues(out, issues);
  const auto* list = list_of(&pairs);
  if (list == nullptr) return out + '}';
  out += ",\"verdicts\":";
  write_list(out, *list, [&](const Json& pair) {
    constexpr std::string_view names[] = {"\"static\"", "\"runtime\"", "\"incompatible\""};
    Allowance allowance;
    const bool whole = pair.is_array() && pair.size() == 4 && pair[1].is_string() && pair[3].is_string();
    out += whole ? names[static_cast<int>(ports_compatible(pair[0], *text_of(&pair[1]), pair[2], *text_of(&pair[3]), allowance))] : "null";
  });
  return out + '}';
}

}  // namespace holdfast::json
