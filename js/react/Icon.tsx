'use client';
/** Small shapes on a 24 grid, drawn with strokes. Always decoration: the words stand beside them. */

const shapes = {
  spinner: 'M12 3a9 9 0 1 1-9 9',
  check: 'M4.5 12.5l5 5 10-11',
  alert: 'M12 7.5v5.5M12 16.6v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  clock: 'M12 7v5l3.2 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  dots: 'M5 12h.01M12 12h.01M19 12h.01',
  lock: 'M6.5 11h11v9h-11zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  hourglass: 'M7 3.5h10M7 20.5h10M8 3.5v3.8l4 4.7 4-4.7V3.5M8 20.5v-3.8l4-4.7 4 4.7v3.8',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4.2h-4.2',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  play: 'M8 5.2l10.5 6.8L8 18.8z',
  shield: 'M12 3.2l7.5 2.6v5.4c0 4.6-3.1 8-7.5 9.6-4.4-1.6-7.5-5-7.5-9.6V5.8zM9.5 9.5l5 5M14.5 9.5l-5 5',
  slash: 'M5.8 5.8l12.4 12.4M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  cross: 'M6 6l12 12M18 6L6 18',
  download: 'M12 4v11M7 10.5l5 5 5-5M4.5 19.5h15',
  trash: 'M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7',
  chevron: 'M6.5 9.5l5.5 5.5 5.5-5.5',
  stack: 'M12 3.5l8.5 4.5-8.5 4.5L3.5 8zM3.5 12.3l8.5 4.5 8.5-4.5M3.5 16.4l8.5 4.5 8.5-4.5',
};

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="hf-icon" data-icon={name} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
