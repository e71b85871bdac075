/** As rooms.ts, for tests in which graphs run. */
import '@cfworker/json-schema';
import 're2js';
import '../graph/alone.ts';
import '../graph/container.ts';
import '../graph/dataflow-merge.ts';
import '../graph/document.ts';
import '../graph/documents.ts';
import '../graph/former-outputs.ts';
import '../graph/home.ts';
import '../graph/linting.ts';
import '../graph/merging.ts';
import '../graph/planning.ts';
import '../graph/preview.ts';
import '../graph/validate.ts';
