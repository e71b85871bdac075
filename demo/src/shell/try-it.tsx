/** How to kill this tab for real. Browsers let no page link to chrome://crash, so it says what to type. */
import { type Ref, useState } from 'react';
import { useWords } from './choices.ts';

const crashes = [
  { browser: 'Chrome', address: 'chrome://crash' },
  { browser: 'Edge', address: 'edge://crash' },
  { browser: 'Firefox', address: 'about:crashcontent' },
];

function Copyable({ text }: { text: string }) {
  const say = useWords();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text).then(() => setCopied(true), () => {});
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <span className="copyable">
      <code>{text}</code>
      <button type="button" className="plain" aria-label={`${say.copy}: ${text}`} onClick={copy}>{copied ? say.copied : say.copy}</button>
    </span>
  );
}

export function TryIt({ ref }: { ref?: Ref<HTMLDetailsElement> }) {
  const say = useWords();
  return (
    <details className="try" ref={ref}>
      <summary>{say.tryTitle}</summary>
      <p>{say.tryIntro}</p>
      <ul>
        {crashes.map(({ browser, address }) => (
          <li key={address}>
            <span className="browser">{browser}</span>
            <Copyable text={address} />
          </li>
        ))}
      </ul>
      <p>{say.tryBrowser}</p>
      <p><Copyable text={location.origin + location.pathname} /></p>
      <p>{say.tryAfter}</p>
    </details>
  );
}
