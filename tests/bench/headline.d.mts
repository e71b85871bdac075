export interface Measured {
  ms: number;
  longestMs: number;
  digest: string;
  pages: number;
  pictures: number;
  questions: number;
  mostOpen: number;
  refused: number;
}
export const pictures: number;
export function headline(
  options: { pages: number; imageEvery: number; delayMs: number },
  say?: (text: string) => void,
): Promise<{ blocking: Measured; durable: Measured; again: Measured; lessPercent: number }>;
