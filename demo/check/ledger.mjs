// The count kept outside of the browser, where no kill reaches it. The page waits for each of these
// acknowledgements, so what is counted here has happened: a page told as stored was stored.
export const acknowledgePath = '/check/page';
export const resultPath = '/check/result';

const isPage = (step) => /^page-\d+$/.test(step);

export class Ledger {
  /** Steps whose results were stored, as told by the page after the fact. */
  stored = new Set();
  /** Pages computed although their results had been stored. */
  rerun = [];
  lastChange = Date.now();
  #result;
  #lastSeen = '';

  /** What the page shows; a change of it is a sign of life. */
  watch(seen) {
    if (seen !== this.#lastSeen) this.lastChange = Date.now();
    this.#lastSeen = seen;
  }

  /** For the demo's server. true: this request was the ledger's. */
  intercept = (request, response) => {
    if (request.method !== 'POST' || (request.url !== acknowledgePath && request.url !== resultPath)) return false;
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      if (request.url === resultPath) this.#result = body;
      else this.#take(JSON.parse(body.toString('utf8')));
      response.writeHead(204).end();
    });
    return true;
  };

  takeResult() {
    return this.#result;
  }

  #take({ event, step }) {
    this.lastChange = Date.now();
    if (event === 'stored') this.stored.add(step);
    if (event === 'computing' && isPage(step) && this.stored.has(step)) this.rerun.push(step);
  }
}
