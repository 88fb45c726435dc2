/** The part of opus-recorder that we use; the package has no types of its own. */
declare module "opus-recorder" {
  export interface RecorderConfig {
    readonly encoderPath: string;
    readonly sourceNode: MediaStreamAudioSourceNode;
    readonly numberOfChannels: 1 | 2;
    /** 2048 voice, 2049 full band audio, 2051 restricted low delay */
    readonly encoderApplication: 2048 | 2049 | 2051;
    /** bit/s */
    readonly encoderBitRate: number;
    readonly encoderSampleRate: number;
  }
  export default class Recorder {
    constructor(config: RecorderConfig);
    /** Samples encoded so far, at 48 kHz whatever the encoder's rate. */
    readonly encodedSamplePosition: number;
    ondataavailable: (data: Uint8Array<ArrayBuffer>) => void;
    start(): Promise<void>;
    stop(): Promise<void>;
    close(): Promise<void>;
  }
}
