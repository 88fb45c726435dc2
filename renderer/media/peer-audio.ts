/** Where the peer's voice comes out: the page's one `<audio>` element. */
export interface PeerAudio {
  play(stream: MediaStream): void;
  setMuted(muted: boolean): void;
  stop(): void;
}

export function peerAudio(element: HTMLAudioElement): PeerAudio {
  return {
    play(stream) {
      element.srcObject = stream;
      // Refused only if the element is emptied before it has begun: the call has ended then.
      element.play().catch(() => {});
    },
    setMuted(muted) {
      element.muted = muted;
    },
    stop() {
      element.pause();
      element.srcObject = null;
      element.muted = false;
    },
  };
}
