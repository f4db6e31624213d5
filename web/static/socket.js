// One WebSocket for all cards: reconnects with back-off and asks each job for what came after its last seq.

export function openSocket({ onMessage, onState }) {
  const wanted = new Map(); // job id -> () => last seq seen
  let socket = null;
  let delay = 500;

  function connect() {
    onState("connecting");
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket.onopen = () => {
      delay = 500;
      onState("live");
      for (const [jobId, seq] of wanted) send(jobId, seq());
    };
    socket.onmessage = (message) => onMessage(JSON.parse(message.data));
    socket.onclose = () => {
      onState("offline");
      setTimeout(connect, delay + Math.random() * delay);
      delay = Math.min(delay * 2, 8000);
    };
  }

  function send(jobId, after) {
    socket.send(JSON.stringify({ action: "subscribe", jobId, after: Math.max(0, after) }));
  }

  connect();
  return {
    /** Follow a job; `lastSeq()` is asked at every reconnect. */
    watch(jobId, lastSeq) {
      wanted.set(jobId, lastSeq);
      if (socket.readyState === WebSocket.OPEN) send(jobId, lastSeq());
    },
    unwatch(jobId) {
      if (wanted.delete(jobId) && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ action: "unsubscribe", jobId }));
    },
  };
}
