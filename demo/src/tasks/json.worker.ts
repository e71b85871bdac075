/** The JSON task's worker. */
import { serve } from 'holdfast/worker';
import { processJson } from './json.ts';

serve(processJson);
