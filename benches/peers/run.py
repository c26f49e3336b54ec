"""saligate beside PyTorch with Captum and pytorch-grad-cam, and ONNX Runtime, in one run.

All contenders take turns in every round, so that what else the machine does hits them alike; the
table gives medians. ONNX Runtime runs the very files that saligate runs.

    python3 -m venv target/peers-venv
    target/peers-venv/bin/pip install -r benches/peers/requirements.txt
    target/peers-venv/bin/pip install --no-deps captum==0.9.0
    cargo build --release -p saligate-cli -p saligate-capi
    target/peers-venv/bin/python benches/peers/run.py --threads 1 --rounds 30
    target/peers-venv/bin/python benches/peers/run.py --cold --rounds 9

The second measures whole processes: from their start to the first map, and their peak memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--net", action="append", help="only this network; may be repeated")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/peers",
                        help="where the networks are written")
    parser.add_argument("--saligate", type=Path, default=ROOT / "target/release/saligate")
    parser.add_argument("--library", type=Path, default=ROOT / "target/release/libsaligate.so")
    parser.add_argument("--cold", action="store_true", help="measure processes, not calls")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    return parser.parse_args()


def export(args, torch, name, net, image):
    """The network as a model file of saligate, through ONNX; made once."""
    model = args.folder / f"{name}.onnx"
    if model.exists():
        return model
    args.folder.mkdir(parents=True, exist_ok=True)
    exported = args.folder / f"{name}.exported.onnx"
    torch.onnx.export(net, torch.zeros(1, *image), str(exported), dynamo=False)
    channels = image[0]
    listed = [",".join(str(v) for v in values[:channels]) for values in (MEAN, STD)]
    subprocess.run([args.saligate, "import", exported, "-o", model, "--method",
                    "gradient,grad-cam", "--mean", listed[0], "--std", listed[1]],
                   check=True, stdout=subprocess.DEVNULL)
    return model


def contenders(args, torch, name, constructor, image, layer):
    import captum.attr
    import numpy
    import onnxruntime
    from pytorch_grad_cam import GradCAM
    from nets import build
    from saligate import Library

    net = build(constructor)
    model = export(args, torch, name, net, image)
    channels = image[0]
    mean = torch.tensor(MEAN[:channels]).view(1, -1, 1, 1)
    std = torch.tensor(STD[:channels]).view(1, -1, 1, 1)

    class Standardized(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net((x - mean) / std)

    whole = Standardized()
    pixels = numpy.random.default_rng(0).integers(0, 256, image, dtype=numpy.uint8)
    scaled = (pixels.astype(numpy.float32) / 255)[None]
    given = torch.from_numpy(scaled)
    with torch.no_grad():
        predicted = int(whole(given).argmax())

    def torch_forward():
        with torch.no_grad():
            return whole(given)

    saliency = captum.attr.Saliency(whole)

    def captum_gradient():
        return saliency.attribute(given, target=predicted, abs=False)

    cam = layer and GradCAM(whole, [layer(net)])

    def grad_cam_package():
        return cam(input_tensor=given, targets=None)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    feed = {"image": scaled}

    # A session of its own for the logits: what feeds other outputs would be computed too.
    import onnx
    forward_only = args.folder / f"{name}.logits.onnx"
    if not forward_only.exists():
        onnx.utils.extract_model(str(model), str(forward_only), ["image"], ["logits"])
    logits_session = onnxruntime.InferenceSession(
        str(forward_only), options, ["CPUExecutionProvider"])

    saliency_only = args.folder / f"{name}.gradient.onnx"
    if not saliency_only.exists():
        onnx.utils.extract_model(
            str(model), str(saliency_only), ["image", "target"], ["logits", "attribution"])
    gradient_session = onnxruntime.InferenceSession(
        str(saliency_only), options, ["CPUExecutionProvider"])

    ours = Library(args.library).open(model, args.threads)
    room = numpy.empty(image[1:], dtype=numpy.float32)
    runs = {
        "PyTorch forward": torch_forward,
        "Captum gradient": captum_gradient,
        "ORT forward": lambda: logits_session.run(["logits"], feed),
        "ORT gradient": lambda: gradient_session.run(["logits", "attribution"], feed),
        "saligate forward": ours.predictor(pixels),
        "saligate gradient": ours.explainer(pixels, "gradient", room),
        "saligate grad-cam": ours.explainer(pixels, "grad-cam", room),
    }
    if cam:
        runs["grad-cam package"] = grad_cam_package
    return check(numpy, runs, room), runs


def check(numpy, runs, room):
    """How far the maps are apart: 1 - cosine of ours with Captum's."""
    theirs = runs["Captum gradient"]().abs().amax(dim=(0, 1)).numpy().ravel()
    runs["saligate gradient"]()
    ours = room.ravel()
    return 1 - float(numpy.dot(ours, theirs) / numpy.linalg.norm(ours) / numpy.linalg.norm(theirs))


def medians(runs, rounds, pause):
    times = {name: [] for name in runs}
    for number in range(rounds + 3):
        for name, run in runs.items():
            # Threads of the one before may still be spinning.
            time.sleep(pause)
            # The one before has emptied the caches; a turn is some calls, so that most find their own
            # data there, as they do where nothing else runs.
            for call in range(5):
                start = time.perf_counter()
                run()
                if number >= 3 and call > 0:
                    times[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(found) for name, found in times.items()}


ORT_PROCESS = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])
image = numpy.load(sys.argv[2])
session.run(["logits", "attribution"], {"image": image})
"""

CAPTUM_PROCESS = """
import sys, torch, numpy, captum.attr
sys.path.insert(0, sys.argv[3])
from nets import NETS, build
torch.set_num_threads(1)
net = build({row[0]: row[1] for row in NETS}[sys.argv[1]])
image = torch.from_numpy(numpy.load(sys.argv[2]))
captum.attr.Saliency(net).attribute(image, target=0)
"""


def seconds(command):
    """How long a process takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def peak(command):
    """Peak memory of a process in bytes, looked at until it ends.

    What wait4 tells would be at least the memory of this process, which the child is made from.
    """
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            continue
        if f"Name:\t{Path(command[0]).name[:15]}\n" in status:
            found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
            most = max([most, *(1024 * int(line.split()[1]) for line in found)])
    return most


def cold(args):
    import sys

    import numpy
    import torch
    from PIL import Image
    from nets import NETS, build

    print("| net | program | start to first map, ms | peak memory, MB | weights, MB |")
    print("|---|---|---|---|---|")
    for name, constructor, image, _ in NETS:
        if args.net and name not in args.net:
            continue
        model = export(args, torch, name, build(constructor), image)
        pixels = numpy.random.default_rng(0).integers(0, 256, image, dtype=numpy.uint8)
        picture = args.folder / f"{name}.png"
        shown = pixels.transpose(1, 2, 0)
        Image.fromarray(shown[..., 0] if image[0] == 1 else shown).save(picture)
        array = args.folder / f"{name}.npy"
        numpy.save(array, (pixels.astype(numpy.float32) / 255)[None])
        compiled = args.folder / f"{name}.edge"
        subprocess.run([args.saligate, "compile", model, "-o", compiled], check=True,
                       stdout=subprocess.DEVNULL)
        out = ["--raw", args.folder / "map.npy"]
        folder = str(Path(__file__).parent)
        commands = {
            "saligate, ONNX": [args.saligate, "explain", model, picture, *out],
            "saligate, compiled": [args.saligate, "explain", compiled, picture, *out],
            "ONNX Runtime": [sys.executable, "-c", ORT_PROCESS, str(model), str(array)],
            "PyTorch with Captum": [sys.executable, "-c", CAPTUM_PROCESS, name, str(array), folder],
        }
        found = {program: [] for program in commands}
        for _ in range(args.rounds):
            for program, command in commands.items():
                found[program].append((seconds(command), peak(command)))
        for program, runs in found.items():
            ms = 1000 * statistics.median(run[0] for run in runs)
            most = statistics.median(run[1] for run in runs) / 1e6
            weights = model.stat().st_size / 1e6
            print(f"| {name} | {program} | {ms:.0f} | {most:.1f} | {weights:.1f} |", flush=True)


def main():
    args = arguments()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(args.threads)
    if args.cold:
        return cold(args)
    import torch
    from nets import NETS

    torch.set_num_threads(args.threads)
    rows = []
    for name, constructor, image, layer in NETS:
        if args.net and name not in args.net:
            continue
        off, runs = contenders(args, torch, name, constructor, image, layer)
        ms = medians(runs, args.rounds, 0.02 if args.threads == 1 else 0.2)
        forward, gradient = ms["saligate forward"], ms["saligate gradient"]
        rows.append({
            "net": name, "threads": args.threads, "ms": ms, "map off by": off,
            "ratios": {
                "gradient / ORT": gradient / ms["ORT gradient"],
                "gradient / Captum": gradient / ms["Captum gradient"],
                "gradient / forward": gradient / forward,
                "grad-cam / forward": ms["saligate grad-cam"] / forward,
                "forward / ORT": forward / ms["ORT forward"],
            },
        })
        if args.json:
            print(json.dumps(rows[-1]), flush=True)
    if not args.json:
        table(rows)


def table(rows):
    for key, digits in (("ms", 2), ("ratios", 2)):
        names = list(dict.fromkeys(name for row in rows for name in row[key]))
        print("| net | " + " | ".join(names) + " |")
        print("|---" * (len(names) + 1) + "|")
        for row in rows:
            cells = [f"{row[key][name]:.{digits}f}" if name in row[key] else "-" for name in names]
            print(f"| {row['net']} | " + " | ".join(cells) + " |")
        print()
    for row in rows:
        print(f"{row['net']}: 1 - cosine to Captum's map {row['map off by']:.1e}")


if __name__ == "__main__":
    main()
