# syntax=docker/dockerfile:1
# Debian 13 with its own Node 20.19, npm, Python 3.13 and g++; all other packages by hash from the two lock files.
#
#   docker build -t fine-r1 .
#   docker run --rm -v fine-r1-runs:/fine-r1/data/runs fine-r1                      npm start
#   docker run --rm -p 127.0.0.1:8888:8888 fine-r1 npm run lab -- --no-browser --ServerApp.ip=0.0.0.0
FROM debian:trixie-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    nodejs npm python3 python3-venv g++ git ca-certificates fonts-dejavu-core procps \
  && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home fine
WORKDIR /fine-r1
RUN chown fine /fine-r1
USER fine
COPY --chown=fine . .
# The image may run on another processor than the one that builds it.
RUN FINE_R1_ALL_SETS=1 node tools/setup.mjs && rm -rf /home/fine/.cache /home/fine/.npm && mkdir -p data/runs
ENV FINE_R1_ALL_SETS=1
CMD ["npm", "start"]
