#include "draw.h"

#include <algorithm>

namespace holdfast::json {

namespace {

const Json::array_t& items(const Json& document, std::string_view key) { return *list_of(find(document, key)); }

std::string title_of(const Json& task) {
  const Json* config = find(task, "config");
  for (const Json* found : {find(task, "title"), find(task, "name"), find(config, "title"), find(config, "name")}) {
    if (const std::string* title = text_of(found)) return *title;
  }
  return *text_of(find(task, "id"));
}

// For Mermaid: entities, since it knows no other escapes. Directives (%%{) count within a label too, and one that begins
// with a backtick ends with a backtick.
std::string mermaid_label(std::string_view text) {
  std::string label;
  for (const char letter : text) {
    switch (letter) {
      case '"': label += "#quot;"; break;
      case '#': label += "#35;"; break;
      case '<': label += "#lt;"; break;
      case '>': label += "#gt;"; break;
      case '|': label += "#124;"; break;
      case '%': label += "#37;"; break;
      case '`': label += "#96;"; break;
      case '\n': label += ' '; break;
      default: label += letter;
    }
  }
  return label;
}

std::string dot_label(std::string_view text) {
  std::string label;
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') label += '\\';
    if (letter == '\n') label += "\\n";
    else label += letter;
  }
  return label;
}

std::string ports_of(const Json& document, const Plan::Pair& pair) {
  std::string ports;
  for (const auto* flows : {&pair.data, &pair.errors}) {
    for (const std::uint32_t flow : *flows) {
      const Json& json = items(document, "dataflows")[flow];
      ports += (ports.empty() ? "" : ", ") + *text_of(find(json, "sourceTaskPortId")) + " → " + *text_of(find(json, "targetTaskPortId"));
    }
  }
  return ports;
}

const Plan* inner_plan(const Plan& plan, std::uint32_t task) {
  const auto found = std::find(plan.containers.begin(), plan.containers.end(), task);
  return found == plan.containers.end() ? nullptr : &plan.subgraphs[static_cast<std::size_t>(found - plan.containers.begin())];
}

class Drawing {
 public:
  explicit Drawing(bool mermaid) : mermaid_(mermaid) {}

  std::string take(const Json& document, const Plan& plan) {
    out_ = mermaid_ ? "flowchart LR\n" : "digraph graph_document {\n  rankdir=LR;\n  node [shape=box];\n";
    add(document, plan, "n", 1);
    if (!mermaid_) out_ += "}\n";
    return std::move(out_);
  }

 private:
  void add(const Json& document, const Plan& plan, const std::string& prefix, std::size_t depth) {
    const std::string indent(depth * 2, ' ');
    const auto& tasks = items(document, "tasks");
    for (std::uint32_t i = 0; i < tasks.size(); i++) {
      const std::string name = prefix + std::to_string(i), title = title_of(tasks[i]), type = *text_of(find(tasks[i], "type"));
      if (mermaid_) out_ += indent + name + "[\"" + mermaid_label(title) + "<br/><i>" + mermaid_label(type) + "</i>\"]\n";
      else out_ += indent + name + " [label=\"" + dot_label(title) + "\\n" + dot_label(type) + "\"];\n";
      if (const Plan* inner = inner_plan(plan, i)) add_inside(*find(tasks[i], "subgraph"), *inner, name, title, indent, depth);
    }
    for (const Plan::Pair& pair : plan.pairs) {
      const std::string from = prefix + std::to_string(pair.source), to = prefix + std::to_string(pair.target), ports = ports_of(document, pair);
      const bool dashed = pair.data.empty();
      if (mermaid_) out_ += indent + from + (dashed ? " -.->|\"" : " -->|\"") + mermaid_label(ports) + "\"| " + to + "\n";
      else out_ += indent + from + " -> " + to + " [label=\"" + dot_label(ports) + "\"" + (dashed ? ", style=dashed" : "") + "];\n";
    }
  }

  void add_inside(const Json& document, const Plan& plan, const std::string& name, const std::string& title, const std::string& indent, std::size_t depth) {
    if (mermaid_) out_ += indent + "subgraph " + name + "g[\"" + mermaid_label(title) + "\"]\n";
    else out_ += indent + "subgraph cluster_" + name + " {\n" + indent + "  label=\"" + dot_label(title) + "\";\n";
    add(document, plan, name + "_", depth + 1);
    out_ += indent + (mermaid_ ? "end\n" : "}\n");
  }

  const bool mermaid_;
  std::string out_;
};

}  // namespace

bool is_drawable(const Json& document, const Issues& issues) {
  if (!document.is_object() || list_of(find(document, "tasks")) == nullptr) return false;
  const auto& list = issues.list();
  return issues.left_out() == 0 && std::none_of(list.begin(), list.end(), [](const Issue& issue) {
    return issue.severity == Severity::Error && issue.code != "unknown-type" && issue.code != "unknown-port" && issue.code != "unknown-merge" &&
           issue.code != "unknown-transform" && issue.code != "missing-input" && issue.code != "incompatible-ports";
  });
}

std::string draw(const Json& document, const Plan& plan, std::string_view language) {
  return Drawing(language == "mermaid").take(document, plan);
}

}  // namespace holdfast::json
