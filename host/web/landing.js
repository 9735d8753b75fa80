// Copy buttons.

import { hideKey } from './dom.js';

hideKey();

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    const status = document.getElementById('copied');
    try {
      await navigator.clipboard.writeText(source.textContent);
      status.textContent = 'Copied.';
    } catch {
      // Without HTTPS browsers give no clipboard to pages: select the text instead.
      getSelection().selectAllChildren(source);
      status.textContent = 'Selected: press Ctrl+C to copy.';
    }
  });
}
