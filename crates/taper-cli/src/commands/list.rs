// The commands, a line each: name, type, and what it does. `cargo xtask` reads these lines too.
commands! {
    "train" train::Train "Train an experiment";
    "find-lr" find_lr::FindLr "Look for a good learning rate, and draw the curve";
    "tune" tune::Tune "Search for good values of configuration keys, by successive halving or at random";
    "eval" eval::Eval "Evaluate a saved run on its test split again";
    "predict" predict::Predict "Predict with a saved run: pictures, texts, rows of tables";
    "detect" detect::Detect "Find the things in pictures with a saved run: boxes and classes";
    "forecast" forecast::Forecast "Forecast with a saved run: the values that follow a series, with their quantiles";
    "recommend" recommend::Recommend "Recommend with a saved run: titles for a user";
    "generate" generate::Generate "Go on with a text, with a saved run of the experiment text";
    "denoise" denoise::Denoise "Take the noise out of a recording, with a saved run of denoise";
    "speak" speak::Speak "Speak words into a WAV file, with a saved run of speak";
    "transcribe" transcribe::Transcribe "Write down what is heard in recordings, with a saved run of speech or sounds";
    "translate" translate::Translate "Translate texts, with a saved run of the experiment translate";
    "chat" chat::Chat "Talk with a saved run of the experiment dialogue";
    "segment" segment::Segment "Find the class of each pixel of pictures with a saved run";
    "verify" verify::Verify "Say whether two pictures are of one class, with a run of `verify`";
    "runs" runs::Runs "List runs and compare them";
    "models" models::Models "List the models, with their parameters, FLOP and sources";
    "summary" summary::Summary "Show the layers of a model, or of a run's, with their shapes, parameters and FLOP";
    "download" download::Download "Download a data set into the downloads' folder";
    "fetch" fetch::Fetch "Download published weights of a model into the downloads' folder";
    "gradcheck" gradcheck::Gradcheck "Check the gradients of operations, layers and losses against finite differences";
}
