import { useWords } from '../shell/choices.ts';
import { Dropzone } from '../shell/dropzone.tsx';
import { Notices, Storing, useNotices } from '../shell/notices.tsx';
import { useSubmit } from '../shell/use-submit.ts';
import { pdfTask } from '../tasks/definitions.ts';

export function PdfPage() {
  const say = useWords();
  const { notices, tell, dismiss } = useNotices();
  const { submit, storing } = useSubmit(pdfTask, tell);
  return (
    <section className="page" aria-labelledby="title">
      <h1 id="title">{say.pdfTitle}</h1>
      <p className="lead">{say.pdfLead}</p>
      <Dropzone
        accept=".pdf,application/pdf"
        button={say.choosePdf}
        hint={say.dropPdfHint}
        onFiles={(files) => submit(files.map((file) => ({ file, mode: 'complete', maxImages: 10, format: 'zip' })))}
        onFolder={(name) => tell(say.folder(name))}
      />
      <Storing names={storing} />
      <Notices notices={notices} onDismiss={dismiss} />
    </section>
  );
}
