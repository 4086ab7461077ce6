'use strict';
for (const figure of document.querySelectorAll('.chart')) {
  const { frame: [left, right, width], span: [x0, x1], names, curves } = JSON.parse(figure.dataset.chart);
  const svg = figure.querySelector('svg'), cursor = figure.querySelector('.cursor'), output = figure.querySelector('output');
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect();
    const wanted = x0 + ((event.clientX - box.left) / box.width * width - left) / (width - left - right) * (x1 - x0);
    const nearest = curves.map(curve => curve.reduce((a, b) => Math.abs(b[0] - wanted) < Math.abs(a[0] - wanted) ? b : a));
    const at = left + (nearest[0][0] - x0) / (x1 - x0) * (width - left - right);
    cursor.setAttribute('x1', at); cursor.setAttribute('x2', at); cursor.style.visibility = 'visible';
    const values = nearest.map(([, y]) => y === null ? 'not finite' : Number(y.toPrecision(4)).toString());
    output.textContent = `${nearest[0][0]}: ${values.join(', ')}`;
  });
  svg.addEventListener('pointerleave', () => { cursor.style.visibility = 'hidden'; output.textContent = ''; });
}
for (const film of document.querySelectorAll('.film')) {
  const steps = film.dataset.steps.split(','), slider = film.querySelector('input'), output = film.querySelector('output');
  const images = film.querySelectorAll('img'), buttons = film.querySelectorAll('button');
  let tab = '0';
  const show = () => {
    const step = steps[slider.value];
    output.textContent = step;
    // A figure that was not drawn at this iteration shows the last one before it.
    const own = [...images].filter(image => image.dataset.tab === tab);
    const nearest = own.filter(image => +image.dataset.step <= +step).pop() || own[0];
    for (const image of images) image.classList.toggle('on', image === nearest);
    for (const button of buttons) button.classList.toggle('on', button.dataset.tab === tab);
  };
  slider.addEventListener('input', show);
  for (const button of buttons) button.addEventListener('click', () => { tab = button.dataset.tab; show(); });
  show();
}
