// Elements and requests. Text goes in as text, never as markup.

/** The prefix below which this server is. */
export const root = document.documentElement.dataset.root;

/** An element with attributes and children; texts become text nodes. */
export function el(name, attributes = {}, ...children) {
  const svg = ['svg', 'polyline', 'title'].includes(name);
  const element = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Keys as they stand in a URL. */
export const encodePath = (keys) => keys.map(encodeURIComponent).join('/');

/** A refusal by the server, with its own words. */
export class Refusal extends Error {
  constructor(status, detail) {
    super(typeof detail === 'string' ? detail : JSON.stringify(detail));
    this.status = status;
  }
}

/** A response, or a Refusal. */
export async function ask(url, options) {
  const response = await fetch(url, options);
  if (response.ok) return response;
  let detail = response.statusText;
  try { detail = (await response.json()).detail ?? detail; } catch { /* no JSON: the status text will do */ }
  throw new Refusal(response.status, detail);
}

/** A document of the API. */
export const askJson = async (url) => (await ask(url, { headers: { Accept: 'application/json' } })).json();

/** Takes the key out of the address bar: the cookie has it now, and the history should not. */
export function hideKey() {
  const url = new URL(location.href);
  if (!url.searchParams.has('api_key')) return;
  url.searchParams.delete('api_key');
  history.replaceState(null, '', url);
}
