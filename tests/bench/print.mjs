// The table people read.
const whole = (number) => Math.round(number).toLocaleString('en-US');
const ratioText = (ratio) => (ratio >= 100 ? whole(ratio) : ratio.toFixed(2));

function print(head, lines) {
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((cells) => cells[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |\n`;
  process.stdout.write([head, widths.map((width) => '-'.repeat(width)), ...lines].map(line).join(''));
  process.stdout.write('\n');
}

export function printRows(rows) {
  if (rows.length === 0) return;
  print(
    ['workload', 'ours/s', 'peer', 'theirs/s', 'ratio', 'to reach'],
    rows.map(({ workload, ours, peer, theirs, ratio, aim }) => [
      workload,
      whole(ours),
      peer,
      whole(theirs),
      ratioText(ratio),
      aim === undefined ? '' : `${ratio >= aim ? '✓' : '✗'} ≥ ${aim.toFixed(1)}`,
    ]),
  );
}

export function printFigures(figures) {
  if (figures.length === 0) return;
  print(
    ['figure', 'value', 'aim'],
    figures.map(({ figure, value, unit, aim }) => [figure, `${whole(value)} ${unit}`, aim ?? '']),
  );
}
