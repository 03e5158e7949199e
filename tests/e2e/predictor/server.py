"""An iris classifier on KServe's own Python server, which loads the model as any runtime does: from /mnt/models."""

import os

import joblib
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Iris(Model):
    def load(self):
        path = os.path.join(os.environ.get("MODEL_DIR", "/mnt/models"), "model.joblib")
        self.model = joblib.load(path)
        print(f"loaded {path}", flush=True)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        return get_predict_response(payload, self.model.predict(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    model = Iris("my-inference-service")
    model.load()
    ModelServer(enable_grpc=False, workers=1).start([model])
