// REST calls. Every failure becomes an ApiError that says what to do.

export class ApiError extends Error {
  constructor(error, status) {
    super(error?.message ?? `the server answered ${status}`);
    this.code = error?.code ?? "http_error";
    this.facts = error ?? {};
  }

  /** One text for people: message, what is allowed, hint. */
  get text() {
    const { path, allowed, hint, diagnostics } = this.facts;
    const lines = [path ? `${this.message} (${path})` : this.message];
    if (allowed !== undefined) lines.push(`Allowed: ${Array.isArray(allowed) ? allowed.join(", ") : allowed}`);
    if (hint) lines.push(hint);
    for (const item of (diagnostics ?? []).filter((each) => each.message !== this.message).slice(0, 3)) lines.push(item.message);
    return lines.join("\n");
  }
}

async function call(method, url, body) {
  const isForm = body instanceof FormData;
  let response;
  try {
    response = await fetch(url, { method, body: isForm ? body : body && JSON.stringify(body), headers: body && !isForm ? { "Content-Type": "application/json" } : {} });
  } catch {
    throw new ApiError({ code: "offline", message: "the server cannot be reached; is it running?" }, 0);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(answer?.error, response.status);
  return answer;
}

export const listJobs = (cursor) => call("GET", `/api/jobs?limit=12${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
export const getJob = (id) => call("GET", `/api/jobs/${id}`);
export const submit = (body) => call("POST", "/api/jobs", body);
export const plan = (body) => call("POST", "/api/plan", body);
export const check = (graph) => call("POST", "/api/plan", { plan: graph });
export const cancel = (id) => call("POST", `/api/jobs/${id}/cancel`);
export const retry = (id) => call("POST", `/api/jobs/${id}/retry`, { params: {} });
export const approve = (id, body) => call("POST", `/api/jobs/${id}/approve`, body);

export function upload(file) {
  const form = new FormData();
  form.append("file", file);
  return call("POST", "/api/uploads", form);
}
