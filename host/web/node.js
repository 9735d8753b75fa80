// One node: what it is, what is below it, a look at its values, and links to take it away.

import { askJson, el, encodePath, hideKey, root } from './dom.js';
import { preview } from './preview.js';

const PAGE = 100;
const api = `${root}/api/v1`;
const place = document.getElementById('node');

function keysOfAddress() {
  const below = location.pathname.slice(`${root}/ui/`.length);
  return below.split('/').filter(Boolean).map(decodeURIComponent);
}

function trail(keys) {
  const links = [el('a', { href: `${root}/ui/` }, 'root')];
  keys.forEach((key, i) => {
    links.push(' / ', el('a', { href: `${root}/ui/${encodePath(keys.slice(0, i + 1))}` }, key));
  });
  links.at(-1).setAttribute('aria-current', 'page');
  document.getElementById('trail').replaceChildren(...links);
}

const section = (title, ...children) => el('section', {}, el('h2', {}, title), ...children);

/** Facts of a structure, by family. */
function facts({ structure_family: family, structure, specs }) {
  const rows = [['family', family]];
  if (specs?.length) rows.push(['specs', specs.map((spec) => spec.name).join(', ')]);
  if (family === 'container') rows.push(['entries', structure?.count]);
  if (structure?.shape) rows.push(['shape', `[${structure.shape.join(', ')}]`]);
  if (structure?.dims) rows.push(['dims', structure.dims.join(', ')]);
  if (structure?.data_type) rows.push(['data type', typeName(structure.data_type)]);
  if (structure?.chunks) rows.push(['blocks', structure.chunks.map((axis) => axis.length).join(' × ') || '1']);
  if (structure?.npartitions) rows.push(['partitions', structure.npartitions]);
  if (structure?.columns) rows.push(['columns', structure.columns.length]);
  return el('dl', {}, ...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value ?? '?'))]));
}

function typeName(type) {
  if (type.fields) return `record of ${type.fields.map((field) => field.name).join(', ')}`;
  const order = { big: '>', little: '<' }[type.endianness] ?? '|';
  return `${order}${type.kind}${type.kind === 'U' ? type.itemsize / 4 : type.itemsize}${type.dt_units ?? ''}`;
}

async function children(keys, into, offset = 0) {
  const query = new URLSearchParams({ 'page[offset]': offset, 'page[limit]': PAGE, omit_links: 'true' });
  for (const field of ['structure_family', 'specs']) query.append('fields', field);
  const found = await askJson(`${api}/search/${encodePath(keys)}?${query}`);
  const items = found.data.map((child) => el('li', {},
    el('a', { href: `${root}/ui/${encodePath([...keys, child.id])}` }, child.id), ' ',
    el('span', { class: 'family' }, child.attributes.structure_family ?? 'cannot be opened')));
  const turn = (text, to, possible) =>
    el('button', { type: 'button', disabled: !possible, onclick: () => children(keys, into, to).catch(failed) }, text);
  const pages = offset > 0 || found.links?.next
    ? el('p', {}, turn('Previous', Math.max(0, offset - PAGE), offset > 0), ' ',
      `${offset + 1} to ${offset + found.data.length} `, turn('Next', offset + PAGE, Boolean(found.links?.next)))
    : null;
  into.replaceChildren(items.length ? el('ul', { class: 'entries' }, ...items) : el('p', {}, 'Nothing.'), ...[pages].filter(Boolean));
}

function columns(keys, structure) {
  const items = structure.columns.map((name) =>
    el('li', {}, el('a', { href: `${root}/ui/${encodePath([...keys, name])}` }, name)));
  return section('Columns', el('ul', { class: 'entries' }, ...items));
}

async function exports(keys, attributes) {
  const about = await askJson(`${api}/`);
  const family = attributes.structure_family;
  const route = { array: 'array', sparse: 'array', table: 'table', container: 'container', awkward: 'awkward', ragged: 'ragged' }[family];
  const names = [...(attributes.specs ?? []).map((spec) => spec.name), family];
  const types = [...new Set(names.flatMap((name) => about.formats[name] ?? []))];
  if (!route || !types.length) return null;
  const alias = (type) => names.flatMap((name) => about.aliases[name]?.[type] ?? [])[0];
  const links = types.map((type) => {
    const query = new URLSearchParams({ format: type });
    if (alias(type)) query.set('filename', `${keys.at(-1) ?? 'root'}.${alias(type)}`);
    return el('li', {}, el('a', { href: `${api}/${route}/full/${encodePath(keys)}?${query}` }, alias(type) ?? type));
  });
  return section('Export', el('ul', { class: 'links' }, ...links));
}

function failed(error) {
  const parts = [el('p', { class: 'bad', role: 'alert' }, error.message)];
  if (error.status === 401) {
    parts.push(el('form', { method: 'get' },
      el('label', {}, 'Key ', el('input', { type: 'password', name: 'api_key', required: true })), ' ',
      el('button', {}, 'Come in')));
  }
  place.replaceChildren(...parts);
}

async function show() {
  hideKey();
  const keys = keysOfAddress();
  trail(keys);
  const title = keys.at(-1) ?? 'root';
  document.getElementById('title').textContent = title;
  document.title = `${title} – tiled-host`;
  const path = encodePath(keys);
  const { data: { attributes } } = await askJson(`${api}/metadata/${path}?max_depth=0`);
  place.replaceChildren(facts(attributes));
  if (attributes.structure_family === 'container') {
    const list = el('div', {}, el('p', { class: 'quiet' }, 'Listing…'));
    place.append(section('Entries', list));
    await children(keys, list);
  } else {
    const values = el('div', {}, el('p', { class: 'quiet' }, 'Reading…'));
    place.append(section('Values', values));
    preview(path, attributes, values).catch((error) =>
      values.replaceChildren(el('p', { class: 'bad' }, error.message)));
  }
  if (attributes.structure_family === 'table') place.append(columns(keys, attributes.structure));
  place.append(section('Metadata', el('pre', { tabindex: 0 }, JSON.stringify(attributes.metadata, null, 2))));
  const links = await exports(keys, attributes);
  if (links) place.append(links);
  place.append(el('p', {}, el('a', { href: `${api}/metadata/${path}` }, 'This node in the API')));
}

show().catch(failed);
