/**
 * A file that the person gave in place of a handle: it can be read, and nothing else. To a worker it crosses as its
 * file, which is why the codec knows it.
 */
import { registerCodec } from './kinds.ts';

export class GivenFileHandle {
  readonly kind = 'file';
  readonly file: File;

  constructor(file: File) {
    this.file = file;
  }

  get [Symbol.toStringTag](): string {
    return 'FileSystemFileHandle';
  }
  get name(): string {
    return this.file.name;
  }
  async getFile(): Promise<File> {
    return this.file;
  }
  async queryPermission(): Promise<PermissionState> {
    return 'granted';
  }
  async requestPermission(): Promise<PermissionState> {
    return 'granted';
  }
  async isSameEntry(other: unknown): Promise<boolean> {
    return other === this;
  }
  async createWritable(): Promise<never> {
    throw new DOMException('The file was given to be read only.', 'NotAllowedError');
  }
}

/** Called where such a value may come or go. */
export function knowGivenFiles(): void {
  registerCodec('holdfast:given-file', {
    match: (value) => value instanceof GivenFileHandle,
    encode: ({ file }: GivenFileHandle) => file,
    decode: (file: File) => new GivenFileHandle(file),
  });
}
