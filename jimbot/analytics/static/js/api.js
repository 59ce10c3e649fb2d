// Questions to the API, and its stream of news.

export async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(10000) });
  if (response.status === 401) location.assign("/login"); // the session has ended
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Error(`Analytics answered ${response.status} without a reason`);
  }
  if (!response.ok) throw Object.assign(new Error([answer.detail, answer.hint].filter(Boolean).join(". ")), { status: response.status });
  return answer;
}

const SILENT_MS = 6000;
const WAIT_FIRST_MS = 1000;
const WAIT_LIMIT_MS = 10000;

// Calls `handlers[name]` with each message; `onlive` and `onlost(since)` as the connection goes.
export class Stream {
  constructor(handlers, onlive, onlost) {
    this.handlers = handlers;
    this.onlive = onlive;
    this.onlost = onlost;
    this.live = false;
    this.heard = Date.now();
    this.wait = WAIT_FIRST_MS;
    this.connect();
    // A connection can die without an error; it is silent then.
    setInterval(() => {
      if (this.live && Date.now() - this.heard > SILENT_MS) { this.lose(); this.connect(); }
    }, 1000);
  }

  connect() {
    this.source?.close();
    this.source = new EventSource("/api/v1/stream");
    for (const [name, handle] of Object.entries(this.handlers)) {
      this.source.addEventListener(name, (event) => {
        this.heard = Date.now();
        this.wait = WAIT_FIRST_MS;
        this.live = true;
        this.onlive(this.heard);
        handle(JSON.parse(event.data));
      });
    }
    this.source.onerror = () => {
      this.lose();
      this.source.close();
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, WAIT_LIMIT_MS);
    };
  }

  lose() {
    this.live = false;
    this.onlost(this.heard);
  }
}
