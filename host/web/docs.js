// The API page: every operation of openapi.json, with a form to try it.

import { askJson, el, encodePath, hideKey, root } from './dom.js';

const SHOWN = 20000;
const place = document.getElementById('operations');

function field(parameter) {
  const { name, schema, required, description } = parameter;
  const id = `f${Math.random().toString(36).slice(2)}`;
  let input;
  if (schema.type === 'boolean') input = el('select', { id }, el('option', { value: '' }, '–'), el('option', {}, 'true'), el('option', {}, 'false'));
  else if (schema.type === 'array') input = el('textarea', { id, rows: 1, placeholder: 'one a line' });
  else input = el('input', { id, type: schema.type === 'integer' ? 'number' : 'text', min: schema.minimum, required: required && name !== 'path' });
  const row = el('div', { class: 'field' },
    el('label', { for: id }, `${name}${required ? ' *' : ''}`), el('div', {}, input, el('div', { class: 'quiet' }, description ?? '')));
  return { parameter, input, row };
}

function address(url, fields) {
  const query = new URLSearchParams();
  let path = url;
  for (const { parameter, input } of fields) {
    const value = input.value.trim();
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodePath(value.split('/')));
    else if (value && parameter.schema.type === 'array') value.split('\n').filter(Boolean).forEach((each) => query.append(parameter.name, each));
    else if (value) query.append(parameter.name, value);
  }
  const text = query.toString();
  return `${root}${path}${text ? `?${text}` : ''}`;
}

async function shown(response) {
  const type = response.headers.get('content-type') ?? '';
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  const parts = [el('p', { class: response.ok ? '' : 'bad' }, `${response.status} ${response.statusText}`), el('pre', {}, headers)];
  if (type.startsWith('image/')) {
    const url = URL.createObjectURL(await response.blob());
    const image = el('img', { class: 'preview', alt: 'The answer' });
    image.addEventListener('load', () => URL.revokeObjectURL(url));
    image.src = url;
    return [...parts, image];
  }
  if (!/json|^text\//.test(type)) return [...parts, el('p', {}, `${(await response.arrayBuffer()).byteLength} bytes`)];
  let text = await response.text();
  if (type.startsWith('application/json') && text.length < 1e6) {
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
  }
  return [...parts, el('pre', { tabindex: 0 }, text.length > SHOWN ? `${text.slice(0, SHOWN)} …` : text)];
}

function operation(url, method, about) {
  const fields = about.parameters.map(field);
  const body = about.requestBody ? el('textarea', { rows: 2, 'aria-label': 'Body' }, 'null') : null;
  const answer = el('div', { 'aria-live': 'polite' });
  const send = async (event) => {
    event.preventDefault();
    const key = document.getElementById('key').value;
    const headers = key ? { Authorization: `Apikey ${key}` } : {};
    if (body) headers['Content-Type'] = 'application/json';
    const target = address(url, fields);
    answer.replaceChildren(el('p', { class: 'quiet' }, target));
    try {
      const response = await fetch(target, { method: method.toUpperCase(), headers, body: body?.value });
      answer.append(...await shown(response));
    } catch (error) {
      answer.append(el('p', { class: 'bad' }, error.message));
    }
  };
  const types = Object.keys(about.responses['200']?.content ?? {});
  return el('details', {},
    el('summary', {}, el('span', { class: 'method' }, method.toUpperCase()), ' ', el('code', {}, url), ' ', el('span', { class: 'quiet' }, about.summary)),
    about.description ? el('p', {}, about.description) : null,
    types.length ? el('p', { class: 'quiet' }, `Answers: ${types.join(', ')}`) : null,
    el('form', { onsubmit: send }, ...fields.map(({ row }) => row),
      body ? el('div', { class: 'field' }, el('span', {}, 'body'), el('div', {}, body, el('div', { class: 'quiet' }, about.requestBody.description ?? ''))) : null,
      el('button', {}, 'Send')),
    answer);
}

async function show() {
  hideKey();
  const document = await askJson(`${root}/openapi.json`);
  const groups = new Map();
  for (const [url, methods] of Object.entries(document.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const tag = about.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(url, method, about));
    }
  }
  place.replaceChildren(...[...groups].map(([tag, operations]) => el('section', {}, el('h2', {}, tag), ...operations)));
}

show().catch((error) => place.replaceChildren(el('p', { class: 'bad' }, error.message)));
