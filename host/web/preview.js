// A look at the values of a node: a picture, a curve, some numbers, the first rows.

import { ask, askJson, el, root } from './dom.js';

const api = `${root}/api/v1`;
/** Pixels along the longer side of a picture; a larger array is thinned out. */
const PICTURE = 512;
/** Points of a curve. */
const POINTS = 1000;
const ROWS = 20;
const NUMBERS = 200;

/** Shows the values at a path in an element. */
export async function preview(path, attributes, into) {
  const { structure_family: family, structure } = attributes;
  if (family === 'table') return rows(path, into);
  if (family !== 'array') {
    into.replaceChildren(el('p', { class: 'quiet' }, `Values of this family (${family}) are shown by export only.`));
    return undefined;
  }
  const shape = structure.shape;
  const number = 'biuf'.includes(structure.data_type.kind) && !structure.data_type.fields;
  if (shape.includes(0)) into.replaceChildren(el('p', { class: 'quiet' }, 'Empty.'));
  else if (number && shape.length >= 2) picture(path, shape, structure.data_type, into);
  else await line(path, shape, number, into);
  return undefined;
}

/** An image of the last two axes (three, where the last is colour), with one number to choose for every axis before. */
function picture(path, shape, type, into) {
  const colour = shape.length >= 3 && [3, 4].includes(shape.at(-1)) && type.kind === 'u' && type.itemsize === 1;
  const plane = colour ? shape.slice(-3, -1) : shape.slice(-2);
  const leading = shape.slice(0, shape.length - (colour ? 3 : 2));
  const step = Math.max(1, Math.ceil(Math.max(...plane) / PICTURE));
  const at = leading.map(() => 0);
  const image = el('img', { class: 'preview', alt: 'The values as a picture' });
  const note = el('p', { class: 'quiet', role: 'status' });
  image.addEventListener('error', () => { note.textContent = 'This part cannot be shown as a picture.'; });
  const draw = () => {
    const slice = [...at, `::${step}`, `::${step}`].join(',');
    image.src = `${api}/array/full/${path}?${new URLSearchParams({ format: 'image/png', slice })}`;
    note.textContent = `slice ${slice}`;
  };
  const inputs = leading.map((length, axis) => el('p', {}, el('label', {}, `axis ${axis} (0 to ${length - 1}) `,
    el('input', {
      type: 'number', min: 0, max: length - 1, value: 0,
      onchange: ({ target }) => {
        at[axis] = Math.min(length - 1, Math.max(0, Math.trunc(Number(target.value)) || 0));
        target.value = at[axis];
        draw();
      },
    }))));
  into.replaceChildren(...inputs, image, note);
  draw();
}

/** The first numbers, and a curve through all of them where they are real. */
async function line(path, shape, number, into) {
  const read = (slice) => askJson(`${api}/array/full/${path}?${new URLSearchParams({ format: 'application/json', slice })}`);
  const scalar = shape.length === 0;
  const first = await read(scalar ? '' : [`:${NUMBERS}`, ...shape.slice(1).map(() => '0:5')].join(','));
  const text = JSON.stringify(first);
  const more = !scalar && shape[0] > NUMBERS ? ` … (${shape[0]} in all)` : '';
  into.replaceChildren(el('pre', { tabindex: 0 }, (text.length > 20000 ? text.slice(0, 20000) : text) + more));
  if (!number || shape.length !== 1 || shape[0] < 3) return;
  const step = Math.max(1, Math.ceil(shape[0] / POINTS));
  into.prepend(curve(await read(`::${step}`)));
}

function curve(values) {
  const known = values.map(Number).filter(Number.isFinite);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const height = (v) => (high > low ? 95 - (90 * (v - low)) / (high - low) : 50);
  const points = values.map((v, i) => [(100 * i) / (values.length - 1), v])
    .filter(([, v]) => typeof v === 'boolean' || Number.isFinite(v))
    .map(([x, v]) => `${x.toFixed(2)},${height(Number(v)).toFixed(2)}`);
  return el('svg', { class: 'plot', viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img' },
    el('title', {}, `From ${low} to ${high}`),
    el('polyline', { points: points.join(' '), fill: 'none', stroke: 'currentColor', 'vector-effect': 'non-scaling-stroke' }));
}

/** The first rows of a table. They come as a stream, which is ended when enough is there. */
async function rows(path, into) {
  const response = await ask(`${api}/table/partition/${path}?partition=0&format=application/json-seq`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const found = [];
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    text += value ?? '';
    const lines = text.split('\n');
    text = lines.pop();
    found.push(...lines.filter((each) => each.trim()));
    if (done || found.length >= ROWS) break;
  }
  await reader.cancel();
  const records = found.slice(0, ROWS).map((each) => JSON.parse(each.replace(/^\x1e/, '')));
  if (!records.length) {
    into.replaceChildren(el('p', { class: 'quiet' }, 'No rows.'));
    return;
  }
  const names = Object.keys(records[0]);
  const shown = (value) => (value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value));
  into.replaceChildren(el('div', { class: 'scroll', tabindex: 0 }, el('table', {},
    el('thead', {}, el('tr', {}, ...names.map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, ...records.map((record) =>
      el('tr', {}, ...names.map((name) => el('td', { class: 'value' }, shown(record[name])))))))),
  el('p', { class: 'quiet' }, `The first ${records.length} rows of the first partition.`));
}
